"""A chat in a file: its turns, and what was computed of them."""
