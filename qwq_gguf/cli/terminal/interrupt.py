"""Ctrl-C where it must not fall just anywhere: in a reply, or while one is recorded."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["ctrl_c_stops", "ctrl_c_waits"]


@contextmanager
def ctrl_c_stops(*steps: Callable[[], object]) -> Iterator[None]:
    """Within this, Ctrl-C calls the first of `steps`, another one the next; after the last it
    raises KeyboardInterrupt. A step that answers False had nothing to do: the next is taken.

    A reply that is told to stop ends tidily: its event stream finishes, and what was said
    so far stays in the chat.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach only the main thread
        return
    left = list(steps)

    def handle(number: int, frame: FrameType | None) -> None:
        while left:
            if left.pop(0)() is not False:
                return
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def ctrl_c_waits() -> Iterator[None]:
    """Within this, Ctrl-C is only noted; KeyboardInterrupt comes at the end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt
