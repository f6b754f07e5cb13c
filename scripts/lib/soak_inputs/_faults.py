"""Every fault that the driver has to see, for its own test."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import count

from qwq_gguf.errors import SourceError
from soak_inputs import Trial

__all__ = ["CLASS", "trials"]

CLASS = "_faults"


def trials(seed: int) -> Iterator[Trial]:
    """Nine trials, again and again: six of them faults."""
    for _ in count():
        yield "accepts", lambda: seed
        yield "refuses", _refuse
        yield "raises", lambda: [][seed]
        yield "hangs", lambda: time.sleep(3600)
        yield "wants all memory", lambda: bytearray(8 << 30)
        yield "leaves", lambda: os._exit(0)
        yield "aborts", os.abort
        yield "ends Python", exit
        yield "accepts again", lambda: seed


def _refuse() -> None:
    raise SourceError("this is refused")
