"""What a model makes of given texts: logits behind their tokens, and what its matrices were fed."""
