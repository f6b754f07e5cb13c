"""What a journal says is what was written into it, whatever became of some of its lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.errors import OutputError
from qwq_gguf.quantization.writing.journal import (
    JOURNAL_SCHEMA,
    Journal,
    RowsDone,
    complete_line,
    fingerprint_line,
    parse_journal,
    rows_line,
    run_line,
)
from qwq_gguf.quantization.writing.journal_file import JournalFile

FINGERPRINT = {"recipe": {"name": "Q4_K_M"}, "source": {"größe": "a\nb"}}
rows = st.builds(
    RowsDone,
    part=st.integers(0, 999),
    tensor=st.integers(0, 10**5),
    first=st.integers(0, 2**40),
    rows=st.integers(1, 2**40),
    crc=st.integers(0, 2**32 - 1),
)


def written(done: list[RowsDone], *, complete: bool = False) -> list[bytes]:
    lines = [fingerprint_line(FINGERPRINT), run_line(4711), *map(rows_line, done)]
    return [*lines, complete_line()] if complete else lines


@given(st.lists(rows, max_size=5), st.booleans())
def test_it_says_what_was_written(done: list[RowsDone], complete: bool) -> None:
    content = b"".join(written(done, complete=complete))
    assert content.isascii()
    assert parse_journal(content) == Journal(
        fingerprint={"schema": JOURNAL_SCHEMA, **FINGERPRINT},
        rows=tuple(done),
        complete=complete,
        pid=4711,
        nbytes=len(content),
        damaged=0,
    )


@given(st.lists(rows, min_size=1, max_size=5), st.data())
def test_a_cut_loses_the_last_line_at_most(done: list[RowsDone], data: st.DataObject) -> None:
    lines = written(done)
    whole = b"".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    found = parse_journal(whole[:cut])
    ends = [len(b"".join(lines[: number + 1])) for number in range(len(lines))]
    kept = sum(end <= cut for end in ends)
    assert found.rows == tuple(done[: max(0, kept - 2)])
    assert found.nbytes == (ends[kept - 1] if kept else 0)
    assert found.damaged == 0


@given(st.lists(rows, min_size=1, max_size=4, unique=True), st.data())
def test_a_flipped_bit_costs_its_own_line(done: list[RowsDone], data: st.DataObject) -> None:
    """And the next, if it was the end of a line that was lost."""
    content = bytearray(b"".join(written(done)))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    found = parse_journal(bytes(content))
    assert set(found.rows) <= set(done)
    assert len(found.rows) >= len(done) - 2


@given(st.binary(max_size=200))
def test_any_bytes_are_read(content: bytes) -> None:
    found = parse_journal(content)
    assert found.nbytes <= len(content)
    assert not found.rows


def test_lines_that_mean_nothing_are_counted() -> None:
    import zlib

    for text in (
        b"rows 1 2 3",
        b"rows 1 2 3 4 5",
        b"rows 1 2 3 -4 0000000f",
        b"made-of [1]",
        b"rows 01 2 3 4 0000000f",
        b"made-of {",
        b"run x",
        b"hello",
        b"",
    ):
        found = parse_journal(b"%08x %s\n" % (zlib.crc32(text), text))
        assert (found.rows, found.fingerprint, found.pid, found.damaged) == ((), None, None, 1), (
            text
        )


def test_a_journal_beyond_all_reason_is_neither_read_nor_cut(tmp_path: Path) -> None:
    path = tmp_path / ".model.gguf.journal"
    with path.open("wb") as file:
        file.write(fingerprint_line(FINGERPRINT))
        file.truncate(300 << 20)
    with pytest.raises(OutputError, match="larger than the journal of any run") as caught:
        JournalFile(path, tmp_path / "model.gguf").open()
    assert caught.value.path == str(path)
    assert "rm " in (caught.value.hint or "")
    assert path.stat().st_size == 300 << 20
    path.unlink()
    journal = JournalFile(path, tmp_path / "model.gguf")
    assert journal.open().rows == ()
    journal.close()


def test_a_fingerprint_has_a_bound() -> None:
    found = parse_journal(fingerprint_line({"a": [[]] * (3 << 20)}) + run_line(5))
    assert (found.fingerprint, found.damaged, found.pid) == (None, 1, 5)
    assert parse_journal(fingerprint_line({"a": "b" * (3 << 20)})).fingerprint is not None


def test_a_fingerprint_is_no_deeper_than_any_is() -> None:
    value: object = 1
    for _ in range(70):
        value = [value]
    found = parse_journal(fingerprint_line({"a": value}) + run_line(5))
    assert (found.fingerprint, found.damaged, found.pid) == (None, 1, 5)
