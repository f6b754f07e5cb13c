"""ModelScope: what differs from the Hugging Face Hub in names, addresses, listings and headers."""
