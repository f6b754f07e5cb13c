"""Two slots in a header: what llama.cpp and we read in each state of a change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import encode_header, read_gguf
from qwq_gguf.gguf_file.header_slack import (
    REST_KEY,
    ROOM_KEY,
    find_room,
    is_room,
    is_small,
    with_room,
    without_room,
)
from qwq_gguf.gguf_file.layout import KEY_COUNT_AT, entry_bytes
from qwq_gguf.gguf_file.reader import GgufTensor
from qwq_gguf.metadata import KeyValue, ValueType, array, boolean, f32, text, u32, u64

ENTRIES = (
    text("general.architecture", "qwen2"),
    text("general.type", "model"),
    text("general.name", "Ä name"),
    f32("general.sampling.temp", 0.6),
    array("tokenizer.ggml.tokens", ValueType.STRING, [f"token {n}" for n in range(100)]),
    boolean("tokenizer.ggml.add_bos_token", False),
    u32("general.alignment", 32),
)
TENSOR = GgufTensor("a.weight", (32,), GgmlType.F32, 0, 128)


def with_blanks(entries: tuple[KeyValue, ...], free: int = 4000) -> tuple[KeyValue, ...]:
    """The layout of our first files: texts of blanks."""
    small = [entry for entry in entries if is_small(entry)]
    rest = [entry for entry in entries[2:] if not is_small(entry)]
    used = sum(map(entry_bytes, small)) + entry_bytes(text(REST_KEY, ""))
    size = -(-(used + free) // 32) * 32
    filled = (text(ROOM_KEY, " " * size), *small, text(REST_KEY, " " * (size - used)))
    return (*entries[:2], *filled, *rest)


def write(path: Path, entries: tuple[KeyValue, ...]) -> Path:
    path.write_bytes(encode_header(entries, [TENSOR]) + bytes(range(128)))
    return path


def others(path: Path) -> dict[str, KeyValue]:
    return {entry.key: entry for entry in without_room(read_gguf(path).metadata.values())}


def change(path: Path, entries: tuple[KeyValue, ...]) -> list[bytes]:
    """Change a file in two writes; the file's bytes after each of them."""
    room = find_room(read_gguf(path).metadata)
    assert room is not None
    filled = room.fill(entries)
    assert filled is not None
    whole = bytearray(path.read_bytes())
    states = []
    for at, data in (
        (room.slot(1 - room.live), filled),
        (KEY_COUNT_AT, room.switched(entries)),
    ):
        whole[at : at + len(data)] = data
        states.append(bytes(whole))
    path.write_bytes(whole)
    return states


def test_nothing_is_lost_and_small_entries_move_to_the_front() -> None:
    laid = with_room(ENTRIES)
    assert set(without_room(laid)) == set(ENTRIES)
    assert [e.key for e in laid][:3] == ["general.architecture", "general.type", ROOM_KEY]
    assert with_room(laid) == laid


def test_room_is_nothing_that_fills_a_screen() -> None:
    room = [entry for entry in with_room(ENTRIES) if is_room(entry.key)]
    assert len(room) == 2
    assert all(entry.element is ValueType.INT32 and not any(entry.items) for entry in room)


@pytest.mark.parametrize("name", ["N", "NN", "NNN", "NNNN"])
def test_the_gguf_package_copies_it_in_either_state(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "a.gguf", with_room(ENTRIES, free=500))
    for number in range(3):
        reader = gguf.GGUFReader(path)
        writer = gguf.GGUFWriter(tmp_path / "copy.gguf", "qwen2")
        for key, field in reader.fields.items():
            if not key.startswith("GGUF.") and key != "general.architecture":
                element = field.types[-1] if len(field.types) > 1 else None
                writer.add_key_value(key, field.contents(), field.types[0], sub_type=element)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        room = find_room(read_gguf(path).metadata)
        assert room is not None
        assert room.live == (1 - number % 2)
        new = [entry for entry in room.entries if entry.key != "general.name"]
        change(path, (*new, text("general.name", name * number)))


@pytest.mark.parametrize("layout", [with_room, with_blanks])
def test_both_slots_in_turn(
    tmp_path: Path, layout: Callable[[tuple[KeyValue, ...]], tuple[KeyValue, ...]]
) -> None:
    path = write(tmp_path / "a.gguf", layout(ENTRIES))
    size, data_offset = path.stat().st_size, read_gguf(path).data_offset
    expected = {entry.key: entry for entry in ENTRIES}
    for number in range(5):
        new = [entry for entry in others(path).values() if is_small(entry)]
        new = [entry for entry in new if entry.key != "general.name"]
        new += [text("general.name", "N" * number), u32(f"extra.{number}", number)]
        first, second = change(path, tuple(new))
        path.write_bytes(first)
        assert others(path) == expected
        path.write_bytes(second)
        expected |= {"general.name": new[-2], new[-1].key: new[-1]}
        assert others(path) == expected
        file = read_gguf(path)
        assert (file.file_bytes, file.data_offset) == (size, data_offset)
        room = find_room(file.metadata)
        assert room is not None
        assert room.live == number % 2
        assert file.tensors[0].offset == data_offset
    # The package that others read such files with agrees.
    fields = gguf.GGUFReader(path).fields
    assert fields["extra.4"].contents() == 4
    assert fields["general.name"].contents() == "NNNN"


def test_a_write_of_one_sector_decides() -> None:
    room = find_room({entry.key: entry for entry in with_room(ENTRIES)})
    assert room is not None
    assert KEY_COUNT_AT + len(room.switched(())) == room.switch + 8 <= 512
    long = (text("general.architecture", "q" * 600), *ENTRIES[1:])
    laid = with_room(long)
    assert laid[0].key == ROOM_KEY
    assert find_room({entry.key: entry for entry in laid}) is not None


def test_what_does_not_fit_is_said() -> None:
    room = find_room({entry.key: entry for entry in with_room(ENTRIES, free=64)})
    assert room is not None
    assert room.fill([*room.entries, u64("a.b", 1)]) is not None
    assert room.fill([*room.entries, text("a.b", "x" * 200)]) is None


@pytest.mark.parametrize("damage", ["order", "length", "array", "missing", "type", "form"])
@pytest.mark.parametrize("layout", [with_room, with_blanks])
def test_a_rearranged_file_has_no_room(
    damage: str, layout: Callable[[tuple[KeyValue, ...]], tuple[KeyValue, ...]]
) -> None:
    laid = list(layout(ENTRIES))
    at = max(i for i, e in enumerate(laid) if is_room(e.key))
    key = laid[at].key
    if damage == "order":
        laid[2], laid[at] = laid[at], laid[2]
    elif damage == "length":
        items = laid[at].value
        assert isinstance(items, (str, tuple))
        laid[at] = KeyValue(key, laid[at].type, items[1:], laid[at].element)
    elif damage == "array":
        laid.insert(at, array("b", ValueType.UINT8, [1]))
    elif damage == "missing":
        del laid[at]
    elif damage == "form":
        laid[at] = text(key, "x") if laid[at].element else array(key, ValueType.INT32, [0])
    else:
        laid[at] = u32(key, 7)
    assert find_room({entry.key: entry for entry in laid}) is None


@given(st.integers(0, 400), st.integers(0, 400), st.booleans())
def test_every_length_fits_to_the_byte(first: int, second: int, twice: bool) -> None:
    laid = with_room(ENTRIES, free=300)
    room = find_room({entry.key: entry for entry in laid})
    assert room is not None
    for length in (first, second)[: 1 + twice]:
        new = (*room.entries, text("extra", "x" * length))
        filled = room.fill(new[-1:])
        assert filled is not None
        assert len(filled) == room.size
