"""Room in a GGUF header, so that small entries can be changed later without moving the data.

The entries that people change lie in one of two slots of equal size, and the other slot is
the value of a key of our own:

    fixed header | architecture, type | ROOM_KEY, its length | slot 0 | slot 1 | arrays, tensors

With a length that covers it, slot 0 is that key's value and the entries are read from slot 1;
else they are read from slot 0, whose last entry, REST_KEY, has slot 1 in its value. So new
entries are written where nobody reads them, and one write of a few dozen bytes at the start of
the file (the number of keys and that length, in one sector) makes them count. Every program
that reads GGUF sees an ordinary file before and after.

The values are arrays of numbers, all zero. Programs list long arrays by their length, as they
have to for every vocabulary, and 32-bit numbers are what all of them can copy. Our first files
have texts of blanks there, which fill screens and JSON; they are changed in place all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from qwq_gguf.gguf_file.layout import HEADER_BYTES, encode_entries, entry_bytes, padded
from qwq_gguf.metadata import KeyValue, ValueType, array, text

__all__ = [
    "REST_KEY",
    "ROOM_KEY",
    "Room",
    "find_room",
    "is_room",
    "is_small",
    "with_room",
    "without_room",
]

ROOM_KEY = "qwq_gguf.room"
REST_KEY = "qwq_gguf.room.rest"
"""With up to three underscores behind it, so that what follows is whole numbers."""
FREE_BYTES = 16 << 10
"""What is left in each slot of a new file: a long chat template and all sampling keys."""

_SECTOR = 512  # bytes that a disk writes whole
_FIRST = ("general.architecture", "general.type")
# What says how the file itself is laid out does not change places.
_STAYS = ("general.alignment", "split.")


@dataclass(frozen=True, slots=True)
class _Form:
    """How room is written: `least` bytes are in the value of each of the two keys, also when
    it covers nothing (the gguf package copies no empty array); `unit` are those of an element.
    """

    unit: int
    least: int
    filler: bytes

    def entry(self, key: str, nbytes: int) -> KeyValue:
        """A key with so many bytes of value behind `least`."""
        length = self.least + nbytes
        if self.unit == 1:
            return text(key, " " * length)
        return array(key, ValueType.INT32, (0,) * (length // self.unit))

    def length(self, nbytes: int) -> bytes:
        """What stands in front of such a value."""
        return ((self.least + nbytes) // self.unit).to_bytes(8, "little")

    def head(self, key: str, before: Sequence[KeyValue] = ()) -> bytes:
        """Other entries, then what of this one stands in front of its length."""
        return encode_entries([*before, self.entry(key, 0)])[: -8 - self.least]

    def rest(self, nbytes: int, beyond: int = 0) -> bytes | None:
        """REST_KEY as the last of a slot, of which it fills `nbytes`, covering `beyond` bytes
        behind the slot as well; None if it needs more than that.
        """
        spare = nbytes - entry_bytes(self.entry(REST_KEY, 0))
        if spare < 0:
            return None
        head = self.head(REST_KEY + "_" * (spare % self.unit))
        filled = spare - spare % self.unit
        return head + self.length(filled + beyond) + self.filler * (self.least + filled)


_BLANKS = _Form(unit=1, least=0, filler=b" ")
_NUMBERS = _Form(unit=4, least=4, filler=b"\0")


def _form_of(entry: KeyValue) -> _Form | None:
    if isinstance(entry.value, str):
        return _BLANKS
    if entry.element is ValueType.INT32 and len(entry.items):
        return _NUMBERS
    return None


def is_room(key: str) -> bool:
    """Whether a key only keeps room."""
    return key == ROOM_KEY or key.rstrip("_") == REST_KEY


def is_small(entry: KeyValue) -> bool:
    """Whether an entry belongs into a slot: not an array, and not about the file itself."""
    return (
        entry.element is None
        and entry.key not in _FIRST
        and not is_room(entry.key)
        and not entry.key.startswith(_STAYS)
    )


def with_room(entries: Iterable[KeyValue], free: int = FREE_BYTES) -> tuple[KeyValue, ...]:
    """The entries in an order with two slots, `free` bytes of each not used yet."""
    given = without_room(entries)
    first = [entry for key in _FIRST for entry in given if entry.key == key]
    if not _switch_fits(first, _NUMBERS):
        first = []
    small = [entry for entry in given if is_small(entry)]
    rest = [entry for entry in given if entry not in first and not is_small(entry)]
    used = sum(map(entry_bytes, small)) + entry_bytes(_NUMBERS.entry(REST_KEY, 0))
    size = padded(used + free, 32)
    names, numbers = divmod(size - used, _NUMBERS.unit)[::-1]
    return (
        *first,
        _NUMBERS.entry(ROOM_KEY, size),
        *small,
        _NUMBERS.entry(REST_KEY + "_" * names, numbers * _NUMBERS.unit),
        *rest,
    )


def without_room(entries: Iterable[KeyValue]) -> tuple[KeyValue, ...]:
    """The entries that mean something to others."""
    return tuple(entry for entry in entries if not is_room(entry.key))


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
    form: _Form

    @property
    def start(self) -> int:
        """Offset of slot 0."""
        return self.switch + 8 + self.form.least

    def slot(self, number: int) -> int:
        """Offset of a slot."""
        return self.start + number * self.size

    @property
    def blank(self) -> bytes:
        """What lies in a slot that nobody reads."""
        return self.form.filler * self.size

    @property
    def written(self) -> bytes:
        """The bytes behind the fixed header, up to the end of the slots."""
        length = self.form.length(self.size if self.live else 0)
        return self.head + length + self.form.filler * self.form.least + self.region

    def fill(self, entries: Sequence[KeyValue]) -> bytes | None:
        """The bytes of the slot that is not read now, with these entries; None if they do
        not fit. After slot 0 the length of REST_KEY covers slot 1 as well.
        """
        written = encode_entries(entries)
        rest = self.form.rest(self.size - len(written), self.size if self.live == 1 else 0)
        return None if rest is None else written + rest

    def blanked(self, header: bytes) -> bytes:
        """A file's bytes from its beginning, with nothing left in the slot that is not read."""
        at = self.slot(1 - self.live)
        return header[:at] + self.blank + header[at + self.size :]

    def switched(self, entries: Sequence[KeyValue]) -> bytes:
        """The bytes at KEY_COUNT_AT that make the other slot, filled with `entries`, count."""
        keys = self.others + 2 + len(entries)
        length = self.form.length(0 if self.live == 1 else self.size)
        return keys.to_bytes(8, "little") + self.head + length


def find_room(metadata: Mapping[str, KeyValue]) -> Room | None:
    """The slots of a file with these entries, in the file's order; None if it has none or
    somebody rearranged them.
    """
    entries = list(metadata.values())
    places = [index for index, entry in enumerate(entries) if is_room(entry.key)]
    if len(places) != 2 or entries[places[0]].key != ROOM_KEY:
        return None
    before = entries[: places[0]]
    room, *inside, rest = entries[places[0] : places[1] + 1]
    form = _form_of(room)
    if form is None or _form_of(rest) is not form:
        return None
    if not _switch_fits(before, form) or not all(map(is_small, inside)):
        return None
    covered = encode_entries([room])[len(form.head(ROOM_KEY)) + 8 + form.least :]
    region = covered + encode_entries([*inside, rest])
    size = len(covered) or len(region) // 2
    used = sum(map(entry_bytes, inside)) + entry_bytes(form.entry(rest.key, 0))
    if len(region) != 2 * size or used > size:
        return None
    head = form.head(ROOM_KEY, before)
    return Room(
        switch=HEADER_BYTES + len(head),
        size=size,
        live=1 if covered else 0,
        entries=tuple(inside),
        others=len(entries) - len(inside) - 2,
        head=head,
        region=region,
        form=form,
    )


def _switch_fits(before: Sequence[KeyValue], form: _Form) -> bool:
    """Whether the number of keys and the length after `before` lie in one sector."""
    return HEADER_BYTES + len(form.head(ROOM_KEY, before)) + 8 <= _SECTOR
