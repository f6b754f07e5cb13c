"""Suggestions for a name that nothing answers to."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean", "one_of"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` to end a sentence with, or nothing when no name is near."""
    folded = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), folded, n=3, cutoff=0.6)
    if not near:
        return ""
    return "; did you mean " + " or ".join(folded[name] for name in near) + "?"


def one_of(known: Iterable[str]) -> str:
    """All names, to choose from."""
    return "one of " + ", ".join(known)
