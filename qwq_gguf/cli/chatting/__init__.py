"""A chat on a terminal or in a pipe: lines in, replies out."""
