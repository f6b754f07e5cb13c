"""A profile as other runtimes write it, and what they cannot say."""
