"""Files that a run makes: whole or not at all, and gone on with after a kill."""
