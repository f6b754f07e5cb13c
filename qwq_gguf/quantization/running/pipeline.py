"""Reading, making and writing side by side, with a bound on what is in between.

    items -> reader threads -> worker threads -> the caller

Readers run ahead of the workers, so that a slow disk or line and the arithmetic overlap,
and the caller takes what is made, in whatever order it is ready. A place is taken before
an item is read and given back when the caller asks for the next result: with `places`
of them, no more than `places` items are in memory, wherever the slowest stage is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event, Lock, Semaphore, Thread
from time import perf_counter
from typing import Generic, TypeVar

__all__ = ["Busy", "pipeline"]

Item = TypeVar("Item")
Raw = TypeVar("Raw")
Result = TypeVar("Result")


@dataclass(slots=True)
class Busy:
    """Seconds that each stage was at work, its threads together; waiting does not count.

    Where they overlap, the sum exceeds the time that passed.
    """

    reading: float = 0.0
    making: float = 0.0
    taking: float = 0.0
    """What the caller did with the results."""


def _nothing() -> None:
    pass


def pipeline(
    items: Iterable[Item],
    read: Callable[[Item], Raw],
    make: Callable[[Item, Raw], Result],
    *,
    workers: int,
    readers: int = 1,
    places: int | None = None,
    interrupt: Callable[[], None] = _nothing,
    busy: Busy | None = None,
) -> Iterator[Result]:
    """`make(item, read(item))` of every item, as they get ready.

    `places` defaults to enough that no stage waits for another's place. The first error
    of any stage is raised here. However it ends, close of the generator included, the
    threads are gone afterwards; `interrupt` is called before they are waited for when
    work is left, to end a `read` that blocks. `busy` is added to as they work.
    """
    if workers < 1 or readers < 1:
        raise ValueError("at least one reader and one worker are needed")
    most = 2 * workers + readers + 1 if places is None else places
    if most < 1:
        raise ValueError("at least one place is needed")
    line = _Line(iter(items), read, make, readers, workers, most, busy or Busy())
    threads = [Thread(target=line.reads, name="read", daemon=True) for _ in range(readers)]
    threads += [Thread(target=line.works, name="quantize", daemon=True) for _ in range(workers)]
    finished = False
    try:
        for thread in threads:
            thread.start()
        yield from line.results()
        finished = True
    finally:
        line.stop()
        if not finished:
            interrupt()
        for thread in threads:
            if thread.ident is not None:
                thread.join()


class _End:
    """No more of the stage before."""


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Line(Generic[Item, Raw, Result]):
    """What the stages share."""

    def __init__(
        self,
        items: Iterator[Item],
        read: Callable[[Item], Raw],
        make: Callable[[Item, Raw], Result],
        readers: int,
        workers: int,
        places: int,
        busy: Busy,
    ) -> None:
        self._readers = readers
        self._workers = workers
        self._items = items
        self._read = read
        self._make = make
        self._places = Semaphore(places)
        self._busy = busy
        self._lock = Lock()
        self._stopped = Event()
        self._raw: SimpleQueue[tuple[Item, Raw] | _End] = SimpleQueue()
        self._made: SimpleQueue[tuple[Result] | _Failed | _End] = SimpleQueue()

    def stop(self) -> None:
        """Let every thread run out."""
        self._stopped.set()
        for _ in range(self._readers):
            self._places.release()
        for _ in range(self._workers):
            self._raw.put(_End())

    def reads(self) -> None:
        try:
            while True:
                self._places.acquire()
                with self._lock:
                    item = None if self._stopped.is_set() else next(self._items, None)
                if item is None:
                    break
                begun = perf_counter()
                raw = self._read(item)
                with self._lock:
                    self._busy.reading += perf_counter() - begun
                self._raw.put((item, raw))
                del raw  # or this thread would hold it while it waits
        except BaseException as error:
            self._made.put(_Failed(error))
        with self._lock:
            self._readers -= 1
            last = self._readers == 0
        # The place of the last, vain attempt lets another reader notice the end.
        self._places.release()
        if last:
            for _ in range(self._workers):
                self._raw.put(_End())

    def works(self) -> None:
        try:
            while not isinstance(got := self._raw.get(), _End) and not self._stopped.is_set():
                item, raw = got
                del got
                begun = perf_counter()
                result = self._make(item, raw)
                with self._lock:
                    self._busy.making += perf_counter() - begun
                del item, raw  # the same
                self._made.put((result,))
                del result
            self._made.put(_End())
        except BaseException as error:
            self._made.put(_Failed(error))

    def results(self) -> Iterator[Result]:
        running = self._workers
        while running:
            got = self._made.get()
            if isinstance(got, _Failed):
                raise got.error
            if isinstance(got, _End):
                running -= 1
                continue
            begun = perf_counter()
            yield got[0]
            self._busy.taking += perf_counter() - begun
            del got
            self._places.release()
