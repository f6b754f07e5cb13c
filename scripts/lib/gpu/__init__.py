"""The check on a card: what travels there, what builds there, what is compared."""
