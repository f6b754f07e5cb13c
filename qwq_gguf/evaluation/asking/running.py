"""Asking one loaded model, several questions at once; each reply as soon as it is made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from qwq_gguf.engine.session import Session
from qwq_gguf.evaluation.asking.plan import Wanted
from qwq_gguf.evaluation.asking.replying import Replier
from qwq_gguf.evaluation.asking.sample import Cell, Sample
from qwq_gguf.evaluation.asking.time_shares import SharedTime

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.engine.protocols import Generates
    from qwq_gguf.profiles import Profile

__all__ = ["ask"]

_STOP_AGAIN = 0.05  # seconds between two tries to stop replies that have just begun


def ask(
    model: Model,
    wanted: Sequence[Wanted],
    profiles: Mapping[Cell, Profile],
    *,
    parallel: int = 1,
    max_tokens: int | None = None,
    traces: bool = False,
) -> Generator[Sample, None, None]:
    """Ask for these replies; yields each record once it is graded, in the order they end.

    `parallel` of them are made at once: one alone by a session, several by an engine, which
    share the model's context. With `traces` the records have their tokens. Whoever closes the
    iterator, or raises inside of its loop, ends what runs; replies that are not finished are
    dropped.

    ModelError for a model that has no place for the tools of a question; what the grader raises.
    """
    if not wanted:
        return
    parallel = min(parallel, len(wanted))
    with ExitStack() as stack:
        places = stack.enter_context(_places(model, parallel))
        time = SharedTime()
        repliers = [
            Replier(
                model, profiles, place, time=time.begin, done=time.end,
                max_tokens=max_tokens, traces=traces,
            )
            for place in places
        ]  # fmt: skip
        yield from _gathered(repliers, wanted)


@contextmanager
def _places(model: Model, parallel: int) -> Iterator[list[Generates]]:
    if parallel == 1:
        session = Session(model)
        try:
            yield [session]
        finally:
            session.close()
        return
    from qwq_gguf.engine.batching.engine import Engine

    with Engine(model, sequences=parallel) as engine:
        yield [engine.sequence() for _ in range(parallel)]


def _gathered(repliers: Sequence[Replier], wanted: Sequence[Wanted]) -> Iterator[Sample]:
    """A thread each, which take one wanted reply after the other."""
    left = iter(wanted)
    taking = threading.Lock()
    stopping = threading.Event()
    made: SimpleQueue[Sample | BaseException] = SimpleQueue()

    def next_one() -> Wanted | None:
        with taking:
            return None if stopping.is_set() else next(left, None)

    threads = [
        threading.Thread(target=_work, args=(replier, next_one, stopping, made.put), daemon=True)
        for replier in repliers
    ]
    try:
        for thread in threads:
            thread.start()
        for _ in wanted:
            item = made.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopping.set()
        for thread, replier in zip(threads, repliers, strict=True):
            while thread.is_alive():
                replier.interrupt()  # again, as a reply may begin just now
                thread.join(_STOP_AGAIN)


def _work(
    replier: Replier,
    next_one: Callable[[], Wanted | None],
    stopping: threading.Event,
    put: Callable[[Any], None],
) -> None:
    try:
        while (wanted := next_one()) is not None:
            sample = replier.reply(wanted)
            if stopping.is_set():  # it may have been cut short
                return
            put(sample)
    except BaseException as error:
        put(error)
