"""The Hugging Face Hub and its mirrors: what is asked, fetched, checked, and kept in the cache."""
