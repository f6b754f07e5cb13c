"""Keys that are pressed while a model loads or replies: not echoed into it, and not lost.

The terminal itself echoes keys, wherever the cursor is, and a reply that is redrawn then counts
its lines wrong. So the echo is off meanwhile. What was typed becomes the beginning of the next
question, to look at before it is sent. Ctrl-C goes on to work: the terminal makes it a signal.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

__all__ = ["kept_terminal", "quiet_keys", "typed_ahead"]

_MOST = 4096  # bytes that a terminal keeps
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?<>=]*[ -/]*[@-~]|[O][A-Za-z]|[^\[O])?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# What ends a program whose parent, unlike a shell, would leave the terminal without an echo.
_DEADLY = ("SIGTERM", "SIGHUP", "SIGQUIT")


@contextmanager
def quiet_keys() -> Iterator[None]:
    """Within this, the terminal does not echo keys; afterwards, however it ends, it does.

    Nothing happens unless stdin and stdout are a terminal and this program is in front of it:
    a pager behind a pipe has its own ideas of the terminal.
    """
    with _kept(quiet=True):
        yield


@contextmanager
def kept_terminal() -> Iterator[None]:
    """Whatever is done to the terminal within this, also a signal that ends the program leaves
    it as it was.
    """
    with _kept(quiet=False):
        yield


@contextmanager
def _kept(*, quiet: bool) -> Iterator[None]:
    if os.name != "posix":
        yield
        return
    import termios

    try:
        descriptor = sys.stdin.fileno()
        shown = sys.stdout.isatty() and _in_front(descriptor)
        before = termios.tcgetattr(descriptor) if shown else None
    except (OSError, ValueError, AttributeError, termios.error):  # closed, or no real file
        before = None
    if before is None:
        yield
        return

    def restore() -> None:
        # Set from behind, the terminal would stop this program.
        with suppress(termios.error, OSError):
            if _in_front(descriptor):
                termios.tcsetattr(descriptor, termios.TCSANOW, before)

    with _restored_by_signals(restore):
        try:
            if quiet:
                without = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
                termios.tcsetattr(descriptor, termios.TCSANOW, without)
            yield
        finally:
            restore()


def typed_ahead() -> str:
    """What was typed at the terminal and read by nobody, without what only moves a cursor.

    Line ends at its end are dropped, so that nothing is sent which was not looked at.
    """
    if os.name != "posix":
        return ""
    import termios

    try:
        descriptor = sys.stdin.fileno()
        if not _in_front(descriptor):
            return ""
        before = termios.tcgetattr(descriptor)
    except (OSError, ValueError, AttributeError, termios.error):
        return ""
    # Half a line can be read only where lines are not waited for.
    loose = [*before[:3], before[3] & ~(termios.ICANON | termios.ECHO), *before[4:]]
    raw = b""
    try:
        termios.tcsetattr(descriptor, termios.TCSANOW, loose)
        while len(raw) < _MOST and select.select([descriptor], [], [], 0)[0]:
            piece = os.read(descriptor, _MOST)
            if not piece:
                break
            raw += piece
    except (OSError, termios.error):
        pass
    finally:
        with suppress(termios.error, OSError):
            termios.tcsetattr(descriptor, termios.TCSANOW, before)
    return _as_text(raw)


def _as_text(raw: bytes) -> str:
    text = raw.decode("utf-8", "ignore").replace("\r", "\n")
    return _CONTROLS.sub("", _ESCAPES.sub("", text)).strip("\n")


def _in_front(descriptor: int) -> bool:
    return os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()


@contextmanager
def _restored_by_signals(restore: Callable[[], None]) -> Iterator[None]:
    """Within this, signals that end the program call `restore` first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        restore()
        earlier = before[number]
        if callable(earlier):
            earlier(number, frame)
            return
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    before = {}
    for name in _DEADLY:
        number = getattr(signal, name, None)
        # Whoever ignores it (nohup) goes on to.
        if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
            before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
