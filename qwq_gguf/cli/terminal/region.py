"""The lines at the bottom of a terminal that are drawn again and again, also after a resize."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["LiveRegion", "rows"]

_PAUSE = 1 / 15  # seconds between two drawings
_COST = 10  # and so many times what one takes, as the model computes in between
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"


def rows(cells: Sequence[int], width: int) -> int:
    """How many rows lines of so many cells take on a terminal of `width`.

    A terminal that was made narrower has wrapped the lines that no longer fit.
    """
    return sum(max(1, -(-each // max(width, 1))) for each in cells)


class LiveRegion:
    """Draws lines, and takes them away before anything is printed for good.

    rich's own Live counts the rows of the last drawing as they were at its width, so a window
    that is made narrower meanwhile leaves pieces of them behind.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._cells: list[int] = []
        self._drawn = 0.0
        self._pause = _PAUSE

    @property
    def shown(self) -> bool:
        """Whether there is anything to take away."""
        return bool(self._cells)

    @property
    def due(self) -> bool:
        """Whether the last drawing is long enough ago for another."""
        return time.monotonic() - self._drawn >= self._pause

    def draw(self, lines: Sequence[Text], *, made_in: float = 0.0) -> None:
        """Draw these in the place of the last ones; each is cut to a row, and of too many for
        the screen the last are drawn. `made_in`: the seconds that it took to make them.
        """
        began = time.monotonic() - made_in
        console = self._console
        width, height = console.width, console.height
        lines = [line.copy() for line in lines[-max(height - 1, 1) :]]
        for line in lines:
            line.truncate(max(width - 1, 1))
        with console.capture() as drawn:
            for number, line in enumerate(lines):
                end = "\n" if number < len(lines) - 1 else ""
                console.print(line, end=end, soft_wrap=True)
        hide = "" if self._cells else _HIDE
        self._write(f"{self._away()}{hide}{drawn.get()}")
        self._cells = [line.cell_len for line in lines]
        self._drawn = time.monotonic()
        self._pause = max(_PAUSE, _COST * (self._drawn - began))

    def clear(self) -> None:
        """Take the lines away; the cursor stands where they began."""
        if self._cells:
            self._write(self._away() + _SHOW)
            self._cells = []

    def _away(self) -> str:
        if not self._cells:
            return ""
        up = rows(self._cells, self._console.width) - 1
        return ("\r" if up < 1 else f"\r\x1b[{up}A") + "\x1b[J"

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()
