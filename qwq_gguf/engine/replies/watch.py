"""Look for texts in a stream without showing half of one.

A stop text may arrive in pieces: what could be its beginning is held back until it is
clear that it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

__all__ = ["Suspense", "Watch"]


class Watch:
    """Watches a stream for the first of some texts."""

    def __init__(self, texts: Collection[str]) -> None:
        self._texts = tuple(text for text in texts if text)
        self._held = ""

    def feed(self, text: str) -> tuple[str, str | None]:
        """The text that may go on, and what is left from a match on, or None without one.

        After a match nothing is held, and the next `feed` starts afresh.
        """
        text = self._held + text
        self._held = ""
        found = [(at, watched) for watched in self._texts if (at := text.find(watched)) >= 0]
        if found:
            at = min(found)[0]
            return text[:at], text[at:]
        keep = max((_overlap(text, watched) for watched in self._texts), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], None

    def flush(self) -> str:
        """What was held back, when nothing follows any more."""
        text, self._held = self._held, ""
        return text


class Suspense:
    """Holds back text from one of its openings on, while it may still be what ends the stream."""

    def __init__(self, openings: Collection[str], may_be_last: Callable[[str], bool]) -> None:
        """`may_be_last` judges a text that begins with an opening."""
        self._openings = tuple(openings)
        self._may_be_last = may_be_last
        self._held = ""

    def feed(self, text: str) -> str:
        """The text that may go on."""
        text = self._held + text
        passed = 0
        while found := [
            (at, opening) for opening in self._openings if (at := text.find(opening, passed)) >= 0
        ]:
            at, opening = min(found)
            if self._may_be_last(text[at:]):
                self._held = text[at:]
                return text[:at]
            passed = at + len(opening)
        rest = text[passed:]
        keep = max((_overlap(rest, opening) for opening in self._openings), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """What was held back, when nothing follows any more."""
        text, self._held = self._held, ""
        return text


def _overlap(text: str, watched: str) -> int:
    """Length of the longest end of `text` that `watched` begins with."""
    for size in range(min(len(watched) - 1, len(text)), 0, -1):
        if text.endswith(watched[:size]):
            return size
    return 0
