"""A line that says what is waited for, once that takes a while."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qwq_gguf.cli.terminal.manner import manner
from qwq_gguf.cli.terminal.output import note, stderr_console
from qwq_gguf.words import one_line

if TYPE_CHECKING:
    from rich.status import Status

__all__ = ["LOOKING", "Waiting", "waiting_for"]

# The first time the processor and the cards are timed.
LOOKING = "looking at the model and at this machine"

_PATIENCE = 0.3  # seconds after which a person wants to see something


class Waiting:
    """Shows what is waited for on stderr where that is a terminal, until it is stopped.

    A terminal that draws nothing gets each line once. Nothing is shown of what is over soon.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._status: Status | None = None
        self._lock = threading.Lock()
        self._over = False
        self._console = stderr_console()
        self._timer = threading.Timer(_PATIENCE, self._start)
        self._timer.daemon = True
        if self._console.is_terminal:
            self._timer.start()

    def say(self, text: str, share: float | None = None) -> None:
        """Now it is this, of which a `share` of 1 is done."""
        with self._lock:
            whole = text if share is None else f"{text}: {100 * share:.0f} %"
            changed, self._text = text != self._text.partition(": ")[0], whole
            if self._status is not None:
                from rich.text import Text

                self._status.update(Text(one_line(whole, 200)))  # a str would be markup
            elif changed and self._shown_plainly:
                note(text)

    def stop(self) -> None:
        """It is over: the line goes away."""
        self._timer.cancel()
        with self._lock:
            self._over = True
            if self._status is not None:
                self._status.stop()
                self._status = None

    @property
    def _shown_plainly(self) -> bool:
        begun = self._console.is_terminal and not self._timer.is_alive()
        return begun and self._console.is_dumb_terminal

    def _start(self) -> None:
        with self._lock:
            if self._over:
                return
            if self._console.is_dumb_terminal:
                note(self._text)
                return
            from rich.text import Text

            self._status = self._console.status(Text(one_line(self._text, 200)))
            self._status.start()


@contextmanager
def waiting_for(text: str) -> Iterator[None]:
    """Show it as long as that takes, but to who wants results only."""
    if manner.quiet:
        yield
        return
    waiting = Waiting(text)
    try:
        yield
    finally:
        waiting.stop()
