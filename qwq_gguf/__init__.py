"""qwq-gguf: make reasoning models small, and run them as they were meant to be run."""
