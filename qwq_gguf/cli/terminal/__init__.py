"""What stands between a command and the person: streams, bars, keys, errors."""
