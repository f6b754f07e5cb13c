"""What a job tells while it works, as values; one callback hears all of them, in order.

An activity that takes long is `Began`, any number of `Progress`, and `Ended`, also where it
ended in an error. Downloading may happen inside of quantizing. Events may come from another
thread than the caller's, one at a time for each activity. What the callback raises ends the
job as Ctrl-C would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

from qwq_gguf.chat.events import Note

if TYPE_CHECKING:
    from qwq_gguf.quantization.planning.plan import Plan
    from qwq_gguf.quantization.running.run import Summary

__all__ = [
    "Activity",
    "Began",
    "Change",
    "Delayed",
    "Ended",
    "Event",
    "Interrupted",
    "Kept",
    "Meter",
    "Progress",
    "Quantized",
    "Note",
    "Report",
    "Said",
    "Streaming",
    "Unfinished",
    "Unlisted",
    "Warned",
    "Wrote",
    "activity",
    "silent",
]


class Activity(StrEnum):
    """What may take long."""

    ASKING = "asking"  # the Hub, about a name
    CHECKING = "checking"  # reading back what an earlier run made; bytes
    DOWNLOADING = "downloading"  # bytes
    QUANTIZING = "quantizing"  # weights
    TRYING = "trying"  # types on weights; each weight counts once a type
    VERIFYING = "verifying"  # bytes
    COPYING = "copying"  # bytes
    EVALUATING = "evaluating"  # replies
    MEASURING = "measuring"  # windows of a text, or replies that are read
    LOADING = "loading"  # a share, of 1
    WARMING = "warming"  # making room for a conversation


@dataclass(frozen=True, slots=True)
class Began:
    """It begins with `what`, a file or a title."""

    activity: Activity
    what: str
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """So far it is: `done` of `total`, which may be unknown; `what` is worked on now."""

    activity: Activity
    done: float
    total: float | None
    what: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """It is over, well or not."""

    activity: Activity


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence about what goes on."""

    text: str


@dataclass(frozen=True, slots=True)
class Delayed:
    """A sentence about what is waited for. Whether it comes depends on the machine and its load,
    so it is no remark on a result.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Warned:
    """A sentence about what may make the result worse than expected."""

    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """A sentence about what the result says otherwise than its source."""

    text: str


@dataclass(frozen=True, slots=True)
class Wrote:
    """A file is there; `text` says what of it one wants to know."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A file was there already and stays; `force` would replace it."""

    path: Path


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The work ended early: the same call goes on with `path`, of which `share` is done."""

    path: Path
    share: float


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The user ended the work."""


@dataclass(frozen=True, slots=True)
class Streaming:
    """Shards of the Hub pass by: `shards` of them, `nbytes` in all, `peak` at a time.

    `present` others are in the cache already. Without any, there is nothing to stream.
    """

    repo: str
    commit: str
    shards: int
    present: int
    nbytes: int
    peak: int


@dataclass(frozen=True, slots=True)
class Unlisted:
    """Of so many streamed shards the Hub lists no digest."""

    shards: int


@dataclass(frozen=True, slots=True)
class Quantized:
    """The models are made; what lies beside them follows."""

    plans: tuple[Plan, ...]
    summaries: tuple[Summary, ...]


Event: TypeAlias = (
    Began
    | Progress
    | Ended
    | Said
    | Delayed
    | Note
    | Warned
    | Change
    | Wrote
    | Kept
    | Unfinished
    | Interrupted
    | Streaming
    | Unlisted
    | Quantized
)
Report: TypeAlias = Callable[[Event], object]


def silent(event: Event) -> None:
    """Hears everything and does nothing."""


@contextmanager
def activity(report: Report, kind: Activity, what: str, total: int | None = None) -> Iterator[None]:
    """Reports that it began, and that it ended, whatever ends it."""
    report(Began(kind, what, total))
    try:
        yield
    finally:
        report(Ended(kind))


class Meter:
    """Counts steps, from any thread, to progress."""

    def __init__(self, report: Report, kind: Activity, total: int | None = None) -> None:
        self._report = report
        self._kind = kind
        self._total: float | None = total
        self._done = 0
        self._lock = Lock()

    def passed(self, count: int, what: str) -> None:
        """So much more is done; `what` says where we are."""
        with self._lock:
            self._done += count
            self._report(Progress(self._kind, self._done, self._total, what))

    def at(self, done: int, total: int) -> None:
        """So much is done, of so much."""
        with self._lock:
            self._done, self._total = done, total
            self._report(Progress(self._kind, done, total))
