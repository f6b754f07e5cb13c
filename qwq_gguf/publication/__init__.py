"""A repository of GGUFs before it is there: its files, its card, what is replaced. Pure."""
