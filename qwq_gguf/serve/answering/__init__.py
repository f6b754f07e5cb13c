"""Models that are loaded, and replies in the making."""
