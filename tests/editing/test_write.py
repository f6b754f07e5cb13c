"""Files are changed whole or not at all, in place and by a copy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from qwq_gguf.editing import change_entries, write_entries
from qwq_gguf.errors import GgufError, OutputError
from qwq_gguf.gguf_file import GgufFile, encode_header, read_gguf
from qwq_gguf.gguf_file.header_slack import find_room, with_room, without_room
from qwq_gguf.metadata import KeyValue
from qwq_gguf.profiles import load_profile
from support.tiny_gguf import write_random


def other_file(folder: Path) -> Path:
    return write_random(folder / "theirs.gguf")


def own_file(folder: Path) -> Path:
    path = other_file(folder)
    file = read_gguf(path)
    write_entries(file, tuple(file.metadata.values()))
    return path


def data(path: Path) -> bytes:
    return path.read_bytes()[read_gguf(path).data_offset :]


def plain(entries: Iterable[KeyValue]) -> dict[str, object]:
    """Everything but the room, with arrays read now: the file is about to change."""
    return {
        entry.key: (entry.type, entry.value if entry.element is None else tuple(entry.items))
        for entry in without_room(entries)
    }


def said(file: GgufFile) -> dict[str, object]:
    return plain(file.metadata.values())


def changed(path: Path) -> tuple[GgufFile, tuple[KeyValue, ...]]:
    file = read_gguf(path)
    return file, change_entries(file.metadata, profile=load_profile("qwq")).entries


def test_a_strangers_file_is_copied_and_has_room_afterwards(tmp_path: Path) -> None:
    path = other_file(tmp_path)
    weights = data(path)
    path.chmod(0o640)
    file, entries = changed(path)
    expected = plain(entries)
    seen: list[tuple[int, int]] = []
    written = write_entries(file, entries, progress=lambda *done: seen.append(done))
    assert not written.in_place
    assert written.file_bytes == path.stat().st_size
    assert path.stat().st_mode & 0o777 == 0o640
    assert seen[-1] == (len(weights), len(weights))
    assert data(path) == weights
    assert said(read_gguf(path)) == expected
    assert find_room(read_gguf(path).metadata) is not None
    assert [entry.name for entry in tmp_path.iterdir()] == ["theirs.gguf"]


def test_our_own_file_is_changed_where_it_is(tmp_path: Path) -> None:
    path = own_file(tmp_path)
    weights, before = data(path), path.stat()
    for name in ("qwq", "llama-cpp", "qwen-llama-cpp"):
        file = read_gguf(path)
        entries = change_entries(file.metadata, profile=load_profile(name)).entries
        expected = plain(entries)
        assert write_entries(file, entries).in_place
        assert said(read_gguf(path)) == expected
        header = path.read_bytes()[: read_gguf(path).data_offset]
        # What lies in the slot that is not read is blank: no remains of the change before.
        assert header.count(b"general.sampling.sequence") == 1
    after = path.stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
    assert data(path) == weights


def test_what_does_not_fit_is_copied(tmp_path: Path) -> None:
    path = own_file(tmp_path)
    file = read_gguf(path)
    long = change_entries(file.metadata, chat_template="{{ messages }}" + " " * 40_000).entries
    assert not write_entries(file, long).in_place
    template = read_gguf(path).text("tokenizer.chat_template")
    assert template is not None
    assert len(template) > 40_000
    assert find_room(read_gguf(path).metadata) is not None


def test_a_link_gets_a_file_of_its_own(tmp_path: Path) -> None:
    blob = own_file(tmp_path)
    kept = blob.read_bytes()
    for name in ("soft.gguf", "hard.gguf"):
        link = tmp_path / name
        if name == "soft.gguf":
            link.symlink_to(blob)
        else:
            os.link(blob, link)
        file, entries = changed(link)
        expected = plain(entries)
        written = write_entries(file, entries)
        assert (written.in_place, written.replaced_link) == (False, True)
        assert blob.read_bytes() == kept
        assert not link.is_symlink()
        assert said(read_gguf(link)) == expected


def recording(writes: list[tuple[int, bytes]]) -> Callable[[int, bytes, int], int]:
    real = os.pwrite

    def spy(descriptor: int, piece: bytes, offset: int) -> int:
        writes.append((offset, bytes(piece)))
        return real(descriptor, piece, offset)

    return spy


def test_every_moment_of_a_change_in_place_is_a_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = own_file(tmp_path)
    for _ in range(2):  # from each slot into the other
        old = path.read_bytes()
        before = said(read_gguf(path))
        writes: list[tuple[int, bytes]] = []
        file = read_gguf(path)
        profile = load_profile("qwq" if "qwq_gguf.profile" not in before else "llama-cpp")
        entries = change_entries(file.metadata, profile=profile).entries
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", recording(writes))
            after = plain(entries)
            write_entries(file, entries)
        assert len(writes) == 3
        assert after != before
        switch = writes[1]
        assert switch[0] + len(switch[1]) <= 512
        torn = tmp_path / "torn.gguf"
        state = bytearray(old)
        for number, (offset, piece) in enumerate(writes):
            # A kill or a power cut may leave any part of a long write.
            for length in (0, 1, len(piece) // 3, len(piece) - 1, len(piece)):
                if number == 1 and length not in (0, len(piece)):
                    continue  # within one sector: whole or not at all
                part = bytearray(state)
                part[offset : offset + length] = piece[:length]
                torn.write_bytes(part)
                expected = before if number < 1 or (number == 1 and not length) else after
                assert said(read_gguf(torn)) == expected
            state[offset : offset + len(piece)] = piece
        assert bytes(state) == path.read_bytes()


def test_a_kill_during_a_copy_leaves_the_old_file(tmp_path: Path) -> None:
    path = other_file(tmp_path)
    before = path.read_bytes()
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from qwq_gguf.editing import change_entries, write_entries\n"
        "from qwq_gguf.gguf_file import read_gguf\n"
        "file = read_gguf(Path(sys.argv[1]))\n"
        "entries = change_entries(file.metadata, kv=['general.name=New']).entries\n"
        "write_entries(file, entries,"
        " progress=lambda *done: os.kill(os.getpid(), signal.SIGKILL))\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert path.read_bytes() == before
    (remains,) = tmp_path.glob(".theirs.gguf.*.partial")
    others = [tmp_path / f".theirs.gguf.{what}.partial" for what in (os.getppid(), "x", 9**99)]
    for other in others:
        other.touch()
    write_entries(*changed(path))
    assert not remains.exists(), "the next copy takes it away"
    assert all(other.exists() for other in others), "these may be somebody's"


def test_a_file_that_only_looks_like_ours_is_copied(tmp_path: Path) -> None:
    path = own_file(tmp_path)
    file, entries = changed(path)
    raw = bytearray(path.read_bytes())
    raw[4] = 2  # version 2 has the same layout, and is not what we write
    path.write_bytes(raw)
    assert not write_entries(read_gguf(path), entries_of(path)).in_place
    assert read_gguf(path).version == 3
    assert file.version == 3
    assert entries


def entries_of(path: Path) -> tuple[KeyValue, ...]:
    return change_entries(read_gguf(path).metadata, kv=["general.name=New"]).entries


def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = own_file(tmp_path)
    file, entries = changed(path)
    with path.open("ab") as more:
        more.write(b"x")
    with pytest.raises(GgufError, match="changed while"):
        write_entries(file, entries)


def test_two_programs_do_not_change_one_file(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    path = own_file(tmp_path)
    file, entries = changed(path)
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="another program"):
            write_entries(file, entries)


def test_a_layout_with_the_room_is_what_the_header_writer_writes(tmp_path: Path) -> None:
    path = own_file(tmp_path)
    file = read_gguf(path)
    laid = with_room(file.metadata.values())
    assert path.read_bytes().startswith(encode_header(laid, [], file.alignment)[24:200], 24)
