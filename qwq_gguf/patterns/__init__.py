"""Regular expressions of strangers over names, in linear time."""

from __future__ import annotations

from qwq_gguf.patterns.name_pattern import NamePattern, PatternError

__all__ = ["NamePattern", "PatternError"]
