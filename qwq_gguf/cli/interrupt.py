"""Ctrl-C while a reply runs: the first stops the reply, the second the program."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["ctrl_c_stops"]


@contextmanager
def ctrl_c_stops(stop: Callable[[], None]) -> Iterator[None]:
    """Within this, Ctrl-C calls `stop` once; a second one raises KeyboardInterrupt.

    A reply that is told to stop ends tidily: its event stream finishes, and what was said
    so far stays in the chat.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach only the main thread
        return
    pressed = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        stop()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
