"""Room in a GGUF header, so that small entries can be changed later without moving the data.

The entries that people change lie in one of two slots of equal size, and the other slot is
the text of a key of our own:

    fixed header | architecture, type | ROOM_KEY, its length | slot 0 | slot 1 | arrays, tensors

With the length `size` slot 0 is that key's text and the entries are read from slot 1; with
the length 0 they are read from slot 0, whose last entry, REST_KEY, has slot 1 in its text.
So new entries are written where nobody reads them, and one write of a few dozen bytes at
the start of the file (the number of keys and that length, in one sector) makes them count.
Every program that reads GGUF sees an ordinary file before and after.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from qwq_gguf.gguf_file.layout import HEADER_BYTES, encode_entries, entry_bytes, padded
from qwq_gguf.metadata import KeyValue, text

__all__ = ["REST_KEY", "ROOM_KEY", "Room", "find_room", "is_small", "with_room", "without_room"]

ROOM_KEY = "qwq_gguf.room"
REST_KEY = "qwq_gguf.room.rest"
FREE_BYTES = 16 << 10
"""What is left in each slot of a new file: a long chat template and all sampling keys."""

_SECTOR = 512  # bytes that a disk writes whole
_FIRST = ("general.architecture", "general.type")
# What says how the file itself is laid out does not change places.
_STAYS = ("general.alignment", "split.")
_REST_BYTES = entry_bytes(text(REST_KEY, ""))


def is_small(entry: KeyValue) -> bool:
    """Whether an entry belongs into a slot: not an array, and not about the file itself."""
    return (
        entry.element is None
        and entry.key not in (*_FIRST, ROOM_KEY, REST_KEY)
        and not entry.key.startswith(_STAYS)
    )


def with_room(entries: Iterable[KeyValue], free: int = FREE_BYTES) -> tuple[KeyValue, ...]:
    """The entries in an order with two slots, `free` bytes of each not used yet."""
    given = without_room(entries)
    first = [entry for key in _FIRST for entry in given if entry.key == key]
    if not _switch_fits(first):
        first = []
    small = [entry for entry in given if is_small(entry)]
    rest = [entry for entry in given if entry not in first and not is_small(entry)]
    used = sum(map(entry_bytes, small)) + _REST_BYTES
    size = padded(used + free, 32)
    return (
        *first,
        text(ROOM_KEY, " " * size),
        *small,
        text(REST_KEY, " " * (size - used)),
        *rest,
    )


def without_room(entries: Iterable[KeyValue]) -> tuple[KeyValue, ...]:
    """The entries that mean something to others."""
    return tuple(entry for entry in entries if entry.key not in (ROOM_KEY, REST_KEY))


@dataclass(frozen=True, slots=True)
class Room:
    """Where a file's slots are. `switch` is the offset of the 8 bytes that choose between
    them, `size` the bytes of a slot, `live` the slot that is read, `entries` what is in it
    without REST_KEY, `others` how many keys lie outside. `head` are the bytes between the
    fixed header and `switch`, `region` those of both slots.
    """

    switch: int
    size: int
    live: int
    entries: tuple[KeyValue, ...]
    others: int
    head: bytes
    region: bytes

    @property
    def start(self) -> int:
        """Offset of slot 0."""
        return self.switch + 8

    def slot(self, number: int) -> int:
        """Offset of a slot."""
        return self.start + number * self.size

    def fill(self, entries: Sequence[KeyValue]) -> bytes | None:
        """The bytes of the slot that is not read now, with these entries; None if they do
        not fit. After slot 0 the length of REST_KEY covers slot 1 as well.
        """
        written = encode_entries(entries)
        left = self.size - len(written) - _REST_BYTES
        if left < 0:
            return None
        beyond = self.size if self.live == 1 else 0
        rest = encode_entries([text(REST_KEY, "")])[:-8]
        return written + rest + (left + beyond).to_bytes(8, "little") + b" " * left

    def blanked(self, header: bytes) -> bytes:
        """A file's bytes from its beginning, with nothing left in the slot that is not read."""
        at = self.slot(1 - self.live)
        return header[:at] + b" " * self.size + header[at + self.size :]

    def switched(self, entries: Sequence[KeyValue]) -> bytes:
        """The bytes at KEY_COUNT_AT that make the other slot, filled with `entries`, count."""
        keys = self.others + 2 + len(entries)
        length = 0 if self.live == 1 else self.size
        return keys.to_bytes(8, "little") + self.head + length.to_bytes(8, "little")


def find_room(metadata: Mapping[str, KeyValue]) -> Room | None:
    """The slots of a file with these entries, in the file's order; None if it has none or
    somebody rearranged them.
    """
    entries = list(metadata.values())
    places = [index for index, entry in enumerate(entries) if entry.key in (ROOM_KEY, REST_KEY)]
    if len(places) != 2 or entries[places[0]].key != ROOM_KEY:
        return None
    before = entries[: places[0]]
    room, *inside, rest = entries[places[0] : places[1] + 1]
    if not (isinstance(room.value, str) and isinstance(rest.value, str)):
        return None
    if not _switch_fits(before) or not all(map(is_small, inside)):
        return None
    live = 1 if room.value else 0
    region = encode_entries([*inside, rest])
    if live:
        size = len(encode_entries([room])) - entry_bytes(text(ROOM_KEY, ""))
        region = encode_entries([room])[-size:] + region
    else:
        size = len(region) // 2
    used = sum(map(entry_bytes, inside)) + _REST_BYTES
    if len(region) != 2 * size or used > size:
        return None
    return Room(
        switch=HEADER_BYTES + len(encode_entries([*before, text(ROOM_KEY, "")])) - 8,
        size=size,
        live=live,
        entries=tuple(inside),
        others=len(entries) - len(inside) - 2,
        head=encode_entries([*before, text(ROOM_KEY, "")])[:-8],
        region=region,
    )


def _switch_fits(before: Sequence[KeyValue]) -> bool:
    """Whether the number of keys and the length after `before` lie in one sector."""
    return HEADER_BYTES + sum(map(entry_bytes, before)) + entry_bytes(text(ROOM_KEY, "")) <= _SECTOR
