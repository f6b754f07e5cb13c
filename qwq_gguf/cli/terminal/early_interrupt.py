"""Ctrl-C while nothing but imports is going on: the program just ends.

It comes first of all, so it is made of what the interpreter has loaded already: `import signal`
alone takes milliseconds in which Ctrl-C would be a traceback.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

__all__ = ["INTERRUPTED", "ctrl_c_raises", "leave_on_ctrl_c"]

INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def _leave(number: int, frame: FrameType | None) -> None:
    # An exception would come out of the middle of an import, as a traceback or as whatever
    # the module being imported makes of it. There is nothing to tidy up yet, or no more.
    os._exit(INTERRUPTED)


def leave_on_ctrl_c() -> None:
    """From now on Ctrl-C ends the process at once; where it is ignored it stays so."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _leave)


class ctrl_c_raises:
    """Within this, Ctrl-C is the KeyboardInterrupt that commands expect."""

    def __enter__(self) -> None:
        self._ours = _signal.getsignal(_signal.SIGINT) is _leave
        if self._ours:
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)

    def __exit__(self, *_: object) -> None:
        if self._ours:
            _signal.signal(_signal.SIGINT, _leave)
