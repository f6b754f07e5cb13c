"""Carrying plans out: rows are read, made into blocks, and handed on to be written."""
