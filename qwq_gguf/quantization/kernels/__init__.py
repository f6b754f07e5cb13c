"""Turning rows of stored weights into blocks.

`choose.py` picks who does it: our own kernels, one file a format, or libggml. Both give
the same bytes on x86-64.
"""

from __future__ import annotations
