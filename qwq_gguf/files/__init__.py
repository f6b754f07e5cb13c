"""Files: strangers' ones opened and read within bounds, our own written whole or not at all."""
