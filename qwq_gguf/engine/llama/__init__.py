"""What llama.cpp makes, as objects that are never used after they were freed."""
