"""Rows are recorded beside the writing, and who waits for it is told, whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from qwq_gguf.quantization.writing import syncing as durable
from qwq_gguf.quantization.writing.journal import RowsDone
from qwq_gguf.quantization.writing.syncing import Recorder

ROWS = [RowsDone(0, 0, number, 1, 0) for number in range(3)]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is recorded before somebody asks."""
    monkeypatch.setattr(durable, "SYNC_SECONDS", 3600.0)


def test_who_waits_is_told_without_being_asked(patient: None) -> None:
    recorded: list[RowsDone] = []
    told: list[tuple[BaseException | None, int]] = []
    happened = threading.Event()

    def then(problem: BaseException | None) -> None:
        told.append((problem, len(recorded)))
        happened.set()

    recorder = Recorder(lambda target, rows: recorded.extend(rows))
    try:
        for row in ROWS:
            recorder.add(0, row)
        assert recorded == []
        recorder.soon(then)
        assert happened.wait(30)
        assert told == [(None, 3)]
        recorder.soon(then)  # nothing is left to wait for
        assert told == [(None, 3), (None, 3)]
    finally:
        recorder.close()


def test_flush_returns_when_all_are_told(patient: None) -> None:
    told: list[int] = []
    recorder = Recorder(lambda target, rows: None)
    try:
        for number, row in enumerate(ROWS):
            recorder.add(0, row)
            recorder.soon(lambda problem, number=number: told.append(number))  # type: ignore[misc]
        recorder.flush()
        assert told == [0, 1, 2]
    finally:
        recorder.close()


def test_a_failure_is_told_too(patient: None) -> None:
    """Or a reader would wait for ever for the room of a shard that never goes."""
    told: list[BaseException | None] = []
    happened = threading.Event()

    def record(target: int, rows: Sequence[RowsDone]) -> None:
        raise OSError("no more room")

    def then(problem: BaseException | None) -> None:
        told.append(problem)
        happened.set()

    recorder = Recorder(record)
    try:
        recorder.add(0, ROWS[0])
        recorder.soon(then)
        assert happened.wait(30)
        assert [str(problem) for problem in told] == ["no more room"]
        recorder.soon(then)
        assert len(told) == 2
        assert told[1] is told[0]
        with pytest.raises(OSError, match="no more room"):
            recorder.flush()
    finally:
        recorder.close()


@contextmanager
def recording(record: Callable[[int, Sequence[RowsDone]], None]) -> Iterator[Recorder]:
    recorder = Recorder(record)
    try:
        yield recorder
    finally:
        recorder.close()
    assert not [each for each in threading.enumerate() if each.name == "sync"]


def test_rows_are_recorded_in_order_and_for_their_target() -> None:
    book: dict[int, list[int]] = {0: [], 1: [], 2: []}
    with recording(
        lambda target, rows: book[target].extend(row.tensor for row in rows)
    ) as recorder:
        for number in range(100):
            recorder.add(number % 3, RowsDone(0, number, 0, 1, 0))
        recorder.flush()
        assert book == {target: list(range(target, 100, 3)) for target in range(3)}
        recorder.flush()  # nothing is left


def test_nobody_has_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "SYNC_SECONDS", 0.001)
    happened = threading.Event()
    with recording(lambda target, rows: happened.set()) as recorder:
        recorder.add(0, ROWS[0])
        assert happened.wait(30)


def test_no_row_is_taken_after_a_failure() -> None:
    def record(target: int, rows: Sequence[RowsDone]) -> None:
        raise OSError("no more room")

    with recording(record) as recorder:
        recorder.add(0, ROWS[0])
        with pytest.raises(OSError, match="no more room"):
            recorder.flush()
        with pytest.raises(OSError, match="no more room"):
            recorder.add(0, ROWS[1])


def test_what_is_done_then_may_fail_too() -> None:
    def refuse(_: BaseException | None) -> None:
        raise ValueError("not now")

    with recording(lambda target, rows: None) as recorder:
        recorder.add(0, ROWS[0])
        recorder.soon(refuse)
        with pytest.raises(ValueError, match="not now"):
            recorder.flush()
