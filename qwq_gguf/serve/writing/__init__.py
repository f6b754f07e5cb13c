"""What comes of a reply, in the words of each protocol. Pure."""
