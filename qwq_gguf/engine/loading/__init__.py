"""Before a model is there: whether the library works here, and the file in it."""
