"""The tokens with which a model begins to doubt what it has just thought.

Discouraging them in the thought shortens it: arXiv 2506.08343 (NoWait) and 2606.00206. Which
ones there are depends on the vocabulary. Words that also carry a thought on, such as "but" and
"check", are none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["HESITATIONS", "hesitation_tokens"]

HESITATIONS = ("wait", "hmm", "hm", "alternatively", "hold", "recheck", "double-check")
_BEFORE = ("", " ", "\n", "\n\n")
_AFTER = ("", ",", ".", "...", "…")


def hesitation_tokens(encode: Callable[[str], Sequence[int]]) -> frozenset[int]:
    """The tokens of a vocabulary that are such a word, with what may stand around it.

    `encode` gives the tokens of a text. A word that takes several tokens has none that stands
    for it alone, and is left out.
    """
    texts = (
        before + cased + after
        for word in HESITATIONS
        for cased in (word, word.capitalize(), word.upper())
        for before in _BEFORE
        for after in _AFTER
    )
    return frozenset(tokens[0] for tokens in map(encode, texts) if len(tokens) == 1)
