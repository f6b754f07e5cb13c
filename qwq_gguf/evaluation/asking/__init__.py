"""Asking models the questions of suites, several at once: planned, asked, written down, counted.

What is to be asked is a value (`plan.py`), and so are the figures (`figures.py`, `pairing.py`) of
what was answered (`sample.py`). `running.py` asks, `samples_file.py` keeps.
"""
