"""Telling a thought from an answer while both stream in."""

from __future__ import annotations

from qwq_gguf.thinking.governor import Governor
from qwq_gguf.thinking.splitter import Phase, Split, ThoughtSplitter, WasThought

__all__ = ["Governor", "Phase", "Split", "ThoughtSplitter", "WasThought"]
