"""Stages that work side by side, in bounded memory, and end whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from qwq_gguf.quantization.running.pipeline import Busy, pipeline

WAIT = 60  # seconds after which a test has failed; none of them takes any


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()} & {"read", "quantize"}


@pytest.mark.parametrize("workers, readers, places", [(1, 1, 1), (2, 1, None), (5, 3, 4)])
def test_every_item_comes_out_once(workers: int, readers: int, places: int | None) -> None:
    made = pipeline(
        range(200),
        lambda item: item * 10,
        lambda item, raw: (item, raw + 1),
        workers=workers,
        readers=readers,
        places=places,
    )
    assert sorted(made) == [(item, item * 10 + 1) for item in range(200)]
    assert not threads()


def test_reading_making_and_writing_overlap() -> None:
    """Each stage waits until the other two are at work on other items: only a pipeline in
    which they overlap gets to the end."""
    reading, making, writing = (threading.Event() for _ in range(3))

    def read(item: int) -> int:
        if item == 2:
            reading.set()
            assert making.wait(WAIT)
            assert writing.wait(WAIT)
        return item

    def make(item: int, raw: int) -> int:
        if item == 1:
            making.set()
            assert reading.wait(WAIT)
            assert writing.wait(WAIT)
        return raw

    done = []
    for item in pipeline(range(3), read, make, workers=1):
        if item == 0:
            writing.set()
            assert reading.wait(WAIT)
            assert making.wait(WAIT)
        done.append(item)
    assert sorted(done) == [0, 1, 2]


@pytest.mark.parametrize("workers, readers, places", [(1, 1, 1), (3, 2, 4), (4, 1, 9)])
def test_no_more_items_than_places_are_held(workers: int, readers: int, places: int) -> None:
    lock, held, most = threading.Lock(), 0, 0

    def read(item: int) -> int:
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        return item

    steps = pipeline(
        range(100),
        read,
        lambda item, raw: raw,
        workers=workers,
        readers=readers,
        places=places,
    )
    for _ in steps:
        with lock:
            held -= 1
    assert most <= places


def failing(stage: str) -> Iterator[int]:
    def items() -> Iterator[int]:
        for item in range(50):
            if stage == "items" and item == 7:
                raise ValueError(stage)
            yield item

    def read(item: int) -> int:
        if stage == "read" and item == 7:
            raise ValueError(stage)
        return item

    def make(item: int, raw: int) -> int:
        if stage == "make" and item == 7:
            raise ValueError(stage)
        return raw

    return pipeline(items(), read, make, workers=2, readers=2)


@pytest.mark.parametrize("stage", ["items", "read", "make"])
def test_an_error_of_any_stage_is_raised_here(stage: str) -> None:
    with pytest.raises(ValueError, match=stage):
        list(failing(stage))
    assert not threads()


def test_a_consumer_that_leaves_ends_a_read_that_waits() -> None:
    left = threading.Event()

    def read(item: int) -> int:
        if item == 1:
            assert left.wait(WAIT)
        return item

    steps = pipeline(range(3), read, lambda item, raw: raw, workers=1, interrupt=left.set)
    assert next(steps) == 0
    steps.close()  # type: ignore[attr-defined]
    assert left.is_set()
    assert not threads()


def test_what_is_finished_is_not_interrupted() -> None:
    called = threading.Event()
    steps = pipeline(
        range(9), lambda item: item, lambda item, raw: raw, workers=1, interrupt=called.set
    )
    assert len(list(steps)) == 9
    assert not called.is_set()


def test_the_work_of_each_stage_is_counted_and_its_waiting_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a clock that only work moves on."""
    clock = threading.local()

    def passes(seconds: float) -> None:
        clock.now = getattr(clock, "now", 0.0) + seconds

    monkeypatch.setattr(
        "qwq_gguf.quantization.running.pipeline.perf_counter", lambda: getattr(clock, "now", 0.0)
    )
    busy = Busy()
    for _ in pipeline(
        range(10), lambda item: passes(3), lambda item, raw: passes(5), workers=2, busy=busy
    ):
        passes(7)
    assert busy == Busy(reading=30, making=50, taking=70)


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_there_must_be_somebody_at_every_stage(sizes: tuple[int, int, int]) -> None:
    workers, readers, places = sizes
    with pytest.raises(ValueError, match="at least one"):
        list(
            pipeline(
                range(3),
                lambda item: item,
                lambda item, raw: raw,
                workers=workers,
                readers=readers,
                places=places,
            )
        )
