"""Words and flags that commands take, and what some of them mean together."""
