"""The bodies of requests, read into one `Ask`. Pure."""
