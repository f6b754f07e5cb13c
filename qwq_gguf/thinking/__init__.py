"""Telling a thought from an answer while both stream in."""

from __future__ import annotations

from qwq_gguf.thinking.splitter import Phase, Split, ThoughtSplitter

__all__ = ["Phase", "Split", "ThoughtSplitter"]
