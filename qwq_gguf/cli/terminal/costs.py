"""What `-v` adds to every command: what libraries log, and the time and memory it took."""

from __future__ import annotations

import sys
import time

from qwq_gguf.cli.terminal.output import note
from qwq_gguf.words import human_bytes, human_time

__all__ = ["Costs"]


class Costs:
    """What happens inside is measured and told at its end, where that is `wanted`."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._began = time.monotonic()

    def __enter__(self) -> None:
        if self._wanted:
            import logging

            logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")

    def __exit__(self, *_: object) -> None:
        if not self._wanted:
            return
        took = human_time(time.monotonic() - self._began)
        peak = _peak()
        most = "" if peak is None else f", {human_bytes(peak)} of memory at most"
        note(f"took {took}{most}")


def _peak() -> int | None:
    """The most memory that this process had; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most << 10
