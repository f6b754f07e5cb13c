"""Suggestions for a name that nothing answers to."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["suggest"]


def suggest(word: str, known: Iterable[str]) -> str:
    """`did you mean X?` for a near miss, else the whole list."""
    names = list(known)
    folded = {name.casefold(): name for name in names}
    near = get_close_matches(word.casefold(), folded, n=3, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(folded[name] for name in near) + "?"
    return "one of " + ", ".join(names)
