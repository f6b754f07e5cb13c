"""The front door: the verbs of `import qwq_gguf`. Each calls the job that its command calls."""
