"""The journal of an unfinished model: what it is made of, and which rows are on the disk.

Lines of text, only ever added to, each behind a checksum of its own, so that a line that
was cut off or damaged is known as such and the others hold:

    5c1f0a3e made-of {"schema": ..., "source": ..., "recipe": ..., ...}
    0d3b8f61 run 4711
    91a6c2f0 rows 0 12 4096 1024 8f3ac0d1
    77e0b913 complete

`run` is the process that writes, the last one of them. `rows` are part, tensor of the part,
first row, how many, and the CRC-32 of their blocks. `complete` says that nothing is missing
and the files get their names. Pure.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qwq_gguf.json_text import parse_json

__all__ = [
    "JOURNAL_SCHEMA",
    "Journal",
    "RowsDone",
    "complete_line",
    "fingerprint_line",
    "parse_journal",
    "rows_line",
    "run_line",
]

JOURNAL_SCHEMA = "qwq-gguf/journal/1"
_FINGERPRINT, _RUN, _ROWS, _COMPLETE = "made-of", "run", "rows", "complete"
_GROWTH = 16  # what a line comes to in memory, in its own characters, at most
_LONGEST_FINGERPRINT = 4 << 20  # characters; a list of 10,000 shards has one
_NUMBER = re.compile(r"0|[1-9]\d{0,17}")
_CRC = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class RowsDone:
    """Rows `first` to `first + rows` of a tensor, written; `crc` is that of their blocks.

    `part` counts the model's files, `tensor` the tensors of that file.
    """

    part: int
    tensor: int
    first: int
    rows: int
    crc: int


@dataclass(frozen=True, slots=True)
class Journal:
    """What a journal says. `fingerprint` is None where its line is missing or damaged.

    `nbytes` is how far it consists of whole lines; `damaged` counts those among them that
    say nothing.
    """

    fingerprint: Mapping[str, Any] | None
    rows: tuple[RowsDone, ...]
    complete: bool
    pid: int | None
    nbytes: int
    damaged: int


def fingerprint_line(fingerprint: Mapping[str, Any]) -> bytes:
    """The first line; `fingerprint` is what fingerprint.py says."""
    return _line(f"{_FINGERPRINT} {json.dumps({'schema': JOURNAL_SCHEMA, **fingerprint})}")


def run_line(pid: int) -> bytes:
    """A process begins to write."""
    return _line(f"{_RUN} {pid}")


def rows_line(done: RowsDone) -> bytes:
    """Rows that are on the disk for good."""
    return _line(
        f"{_ROWS} {done.part} {done.tensor} {done.first} {done.rows} {done.crc & 0xFFFFFFFF:08x}"
    )


def complete_line() -> bytes:
    """All rows are."""
    return _line(_COMPLETE)


def parse_journal(content: bytes) -> Journal:
    """What of a journal's bytes can be relied on."""
    fingerprint: Mapping[str, Any] | None = None
    rows: list[RowsDone] = []
    pid: int | None = None
    complete = False
    nbytes = content.rfind(b"\n") + 1
    damaged = 0
    for line in _lines(content, nbytes):
        kind, _, rest = (_checked(line) or "").partition(" ")
        if kind == _FINGERPRINT and (found := _object(rest)) is not None:
            fingerprint = found
        elif kind == _RUN and _NUMBER.fullmatch(rest):
            pid = int(rest)
        elif kind == _ROWS and (done := _rows(rest)) is not None:
            rows.append(done)
        elif kind == _COMPLETE:
            complete = True
        else:
            damaged += 1
    return Journal(fingerprint, tuple(rows), complete, pid, nbytes, damaged)


def _lines(content: bytes, end: int) -> Iterator[bytes]:
    """Whole lines one by one: a list of millions would be larger than what they say."""
    start = 0
    while start < end:
        stop = content.index(b"\n", start)
        yield content[start:stop]
        start = stop + 1


def _line(text: str) -> bytes:
    raw = text.encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(raw), raw)


def _checked(line: bytes) -> str | None:
    """The text of a line whose checksum is right."""
    crc, _, raw = line.partition(b" ")
    if crc != b"%08x" % zlib.crc32(raw) or not raw.isascii():
        return None
    return raw.decode("ascii")


def _object(text: str) -> Mapping[str, Any] | None:
    if len(text) > _LONGEST_FINGERPRINT:
        return None
    try:
        value = parse_json(text, most=_GROWTH * _LONGEST_FINGERPRINT)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _rows(text: str) -> RowsDone | None:
    words = text.split(" ")
    if len(words) != 5 or not _CRC.fullmatch(words[4]):
        return None
    if not all(_NUMBER.fullmatch(word) for word in words[:4]):
        return None
    part, tensor, first, count = map(int, words[:4])
    return RowsDone(part, tensor, first, count, int(words[4], 16))
