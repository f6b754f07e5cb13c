"""Tables and pictures of what was planned, made and compared."""
