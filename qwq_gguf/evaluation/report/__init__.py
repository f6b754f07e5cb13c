"""What was measured, as a page and as Markdown: numbers in, text out. Pure.

Results are read into values (`values.py`, `reading.py`), sections are decided on those
(`thinking_section.py` and its like), pictures are drawn on scales (`scale.py`, `plots.py`), and
the whole document (`document.py`) is written twice: `html.py`, `markdown.py`.
"""
