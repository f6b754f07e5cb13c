"""Recipes: which type each tensor is to get, as data."""
