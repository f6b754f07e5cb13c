"""How far an announced change came, by the header alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from qwq_gguf.editing import write_entries
from qwq_gguf.errors import GgufError
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.gguf_file.header_slack import Room, find_room
from qwq_gguf.verification.contents import read_contents, read_header, read_with_header
from qwq_gguf.verification.manifest import (
    FileRecord,
    Manifest,
    PartDigest,
    SourceRecord,
    parse_manifest,
)
from qwq_gguf.verification.pending_change import Progress, announced, explain, progress_of, settled
from support.tiny_gguf import write_random

OTHER = PartDigest(4, "0" * 64)
ASKED: dict[str, object] = {"kv": ["general.name=x"]}


def digest(data: bytes) -> PartDigest:
    return PartDigest(len(data), hashlib.sha256(data).hexdigest())


def manifest(header: PartDigest, **options: object) -> Manifest:
    record = FileRecord("m.gguf", OTHER, header, ())
    return Manifest((record,), SourceRecord("s", None, ()), "F32", "", options, {})


@pytest.fixture
def file(tmp_path: Path) -> tuple[bytes, Room]:
    """The header of a file with room, and its room."""
    path = write_random(tmp_path / "model.gguf")
    read = read_gguf(path)
    write_entries(read, tuple(read.metadata.values()))
    room = find_room(read_gguf(path).metadata)
    assert room is not None
    return read_header(read_gguf(path)), room


def with_remains(header: bytes, room: Room) -> bytes:
    at = room.slot(1 - room.live) + 7
    return header[:at] + b"remains" + header[at + 7 :]


def test_old_new_and_on_the_way(file: tuple[bytes, Room]) -> None:
    header, room = file
    torn = with_remains(header, room)
    assert room.blanked(torn) == room.blanked(header) == header
    before = announced(manifest(digest(header)), OTHER, OTHER, ASKED)
    after = announced(manifest(OTHER), OTHER, digest(header), ASKED)
    assert progress_of(before, header, room) is Progress.BEFORE
    assert progress_of(before, torn, room) is Progress.BEGUN
    assert progress_of(after, torn, room) is Progress.SWITCHED
    assert progress_of(after, header, room) is Progress.AFTER
    assert progress_of(before, torn, None) is None
    assert progress_of(before, header + b"x", room) is None
    assert progress_of(manifest(digest(header)), header, room) is None


def test_remains_are_the_only_finding(file: tuple[bytes, Room]) -> None:
    header, room = file
    said = announced(manifest(digest(header)), OTHER, OTHER, ASKED)
    torn = with_remains(header, room)
    record = FileRecord("m.gguf", digest(b"torn file"), digest(torn), ())
    known, clean, (finding,) = explain(said, record, torn, room)
    assert (finding.level, finding.where) == ("difference", "header")
    assert known == settled(said, made=False) == manifest(digest(header))
    assert clean == known.files[0]


def test_what_was_asked_is_kept_with_what_was_asked_before() -> None:
    said = announced(manifest(OTHER, set=[{"yarn": 2}]), digest(b"a"), digest(b"b"), ASKED)
    made = settled(said, made=True)
    assert made.options["set"] == [{"yarn": 2}, ASKED]
    assert (made.files[0].file, made.files[0].header) == (digest(b"a"), digest(b"b"))
    assert made.pending is None


def test_it_is_read_back(tmp_path: Path) -> None:
    said = announced(manifest(OTHER), digest(b"a"), digest(b"b"), ASKED)
    assert parse_manifest(said.text(), tmp_path) == said
    assert "pending" not in manifest(OTHER).text()
    with pytest.raises(GgufError, match="damaged"):
        parse_manifest(said.text().replace(digest(b"a").sha256, "x"), tmp_path)


def test_what_a_file_would_come_to(tmp_path: Path) -> None:
    path = write_random(tmp_path / "model.gguf")
    file = read_gguf(path)
    raw = path.read_bytes()
    other = b"another header"
    contents, whole = read_with_header(file, other)
    assert contents == read_contents(file)
    assert whole == digest(other + raw[file.data_offset :])
    assert read_header(file) == raw[: file.data_offset]
