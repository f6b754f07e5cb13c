"""Keys that are pressed while a model loads or replies: not echoed into it, and not lost.

The terminal itself echoes keys, wherever the cursor is, and a reply that is redrawn then counts
its lines wrong. So the echo is off meanwhile, and who shows the reply shows what is typed. Ctrl-C
goes on to work: the terminal makes it a signal.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

__all__ = ["heard_keys", "kept_terminal", "quiet_keys", "unread_keys"]

_MOST = 4096  # bytes that a terminal keeps
_PAUSE = 0.1  # seconds between two looks at a terminal at which nobody types
# What ends a program whose parent, unlike a shell, would leave the terminal without an echo.
_DEADLY = ("SIGTERM", "SIGHUP", "SIGQUIT")


@contextmanager
def quiet_keys(*, each: bool = False) -> Iterator[None]:
    """Within this, the terminal does not echo keys; afterwards, however it ends, it does.

    With `each` it keeps every key as it is pressed, Ctrl-D too, and edits no line itself.

    Nothing happens unless stdin and stdout are a terminal and this program is in front of it:
    a pager behind a pipe has its own ideas of the terminal.
    """
    with _kept(quiet=True, each=each):
        yield


@contextmanager
def heard_keys(
    heard: Callable[[bytes], object] | None, tick: Callable[[], object]
) -> Iterator[None]:
    """Within this, keys are not echoed; each is told at once to `heard`, in a thread of its own,
    and `tick` is called there now and then.

    Without `heard` they wait for whoever reads the terminal next. Where `quiet_keys` does
    nothing, no key is heard; `tick` is called nevertheless.
    """
    with _kept(quiet=True, each=heard is not None) as descriptor:
        ended = threading.Event()
        listener = threading.Thread(
            target=_listen,
            args=(None if heard is None else descriptor, heard, tick, ended),
            name="keys",
            daemon=True,
        )
        listener.start()
        try:
            yield
        finally:
            ended.set()
            listener.join()


def _listen(
    descriptor: int | None,
    heard: Callable[[bytes], object] | None,
    tick: Callable[[], object],
    ended: threading.Event,
) -> None:
    while not ended.is_set():
        if descriptor is None or heard is None:
            ended.wait(_PAUSE)
        else:
            try:
                # From behind, reading would stop this program.
                typed = select.select([descriptor], [], [], _PAUSE)[0] and _in_front(descriptor)
                keys = os.read(descriptor, _MOST) if typed else b""
            except (OSError, ValueError):
                descriptor = None
                continue
            if typed and not keys:
                descriptor = None  # the terminal is gone
            elif keys:
                heard(keys)
        tick()


@contextmanager
def kept_terminal() -> Iterator[None]:
    """Whatever is done to the terminal within this, also a signal that ends the program leaves
    it as it was.
    """
    with _kept(quiet=False):
        yield


@contextmanager
def _kept(*, quiet: bool, each: bool = False) -> Iterator[int | None]:
    """Within this, a terminal without an echo (`quiet`) that gives `each` key at once; its
    descriptor, None where there is no terminal.
    """
    if os.name != "posix":
        yield None
        return
    import termios

    try:
        descriptor = sys.stdin.fileno()
        shown = sys.stdout.isatty() and _in_front(descriptor)
        before = termios.tcgetattr(descriptor) if shown else None
    except (OSError, ValueError, AttributeError, termios.error):  # closed, or no real file
        before = None
    if before is None:
        yield None
        return

    def restore() -> None:
        # Set from behind, the terminal would stop this program.
        with suppress(termios.error, OSError):
            if _in_front(descriptor):
                termios.tcsetattr(descriptor, termios.TCSANOW, before)

    with _restored_by_signals(restore):
        try:
            if quiet:
                termios.tcsetattr(descriptor, termios.TCSANOW, _without_echo(before, each=each))
            yield descriptor
        finally:
            restore()


def _without_echo(before: list[Any], *, each: bool) -> list[Any]:
    import termios

    # ICANON waits for lines; IEXTEN keeps keys for the terminal itself, Ctrl-T on macOS.
    off = termios.ECHO | (termios.ICANON | termios.IEXTEN if each else 0)
    controls = list(before[6])
    if each:
        controls[termios.VMIN], controls[termios.VTIME] = 1, 0
    return [*before[:3], before[3] & ~off, *before[4:6], controls]


def unread_keys() -> bytes:
    """What was typed at the terminal and read by nobody."""
    if os.name != "posix":
        return b""
    import termios

    try:
        descriptor = sys.stdin.fileno()
        if not _in_front(descriptor):
            return b""
        before = termios.tcgetattr(descriptor)
    except (OSError, ValueError, AttributeError, termios.error):
        return b""
    raw = b""
    try:
        # Half a line can be read only where lines are not waited for.
        termios.tcsetattr(descriptor, termios.TCSANOW, _without_echo(before, each=True))
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
    return raw


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
