"""The sequences of a cache: what each holds, whose it is, and what it may begin another with."""

from __future__ import annotations

from collections.abc import Iterable

from qwq_gguf.engine.batching.cells import Cells
from qwq_gguf.engine.batching.text import Copy, Cut, Text, common

__all__ = ["Seats"]


class Seats:
    """Of a cache of `size` cells, all of them free at first.

    What changes it gives the moves that do the same to the cache, in their order.
    """

    def __init__(self, count: int, size: int, *, cuttable: bool) -> None:
        """Sequences of a `cuttable` cache can be cut and copied at any token, others not."""
        self._cells = Cells(count)
        self._size = size
        self._cuttable = cuttable
        self._held: list[list[int]] = [[] for _ in range(count)]
        self._owners: list[Text | None] = [None] * count
        self._touched = [0] * count
        self._clock = 0

    @property
    def used(self) -> int:
        """Cells that are taken."""
        return self._cells.used

    @property
    def free(self) -> int:
        """Cells that are not."""
        return self._size - self._cells.used

    def free_without(self, but: int | None) -> int:
        """Cells that are free once all is gone that ended texts have left, but in this seat."""
        stored = (seat for seat in self._stored() if seat != but)
        return self.free + sum(map(self._cells.freed_without, stored))

    def beginning_of(self, tokens: list[int]) -> tuple[int | None, int]:
        """The seat that has most of the beginning of a text, and how much.

        The last token is not counted: it is computed in any case, as its logits are needed.
        """
        best: int | None = None
        most = 0
        for seat, held in enumerate(self._held):
            if not held or held[0] != tokens[0]:
                continue
            alike = min(common(held, tokens), len(tokens) - 1)
            if alike < len(held) and not self._cuttable:
                continue
            if alike > most:
                best, most = seat, alike
        return best, most

    def take(self, text: Text, source: int | None, shared: int) -> list[Cut | Copy]:
        """Give the text a seat that begins with these tokens of another, or of itself."""
        stored = self._stored()
        moves: list[Cut | Copy] = []
        if source in stored and 2 * shared >= len(self._held[source]):
            seat = source
        else:
            # Another than the source, an empty one or that which was of no use for longest.
            seat = min(stored, key=lambda s: (s == source, bool(self._held[s]), self._touched[s]))
        if source is None or seat == source:
            moves += self.cut(seat, shared)
        else:
            moves += self.cut(seat, 0)
            moves.append(Copy(source, seat, shared))
            self._cells.copy(source, seat, shared)
            self._held[seat] = self._held[source][:shared]
        if not text.begun:
            text.reused = shared
        text.begun = True
        text.seat, text.computed, text.idle = seat, shared, 0
        self._owners[seat] = text
        self._touch(seat)
        return moves

    def release(self, text: Text) -> int:
        """Its seat is nobody's; what is in there stays. The seat."""
        seat = text.seat
        assert seat is not None
        self._owners[seat] = None
        self._touch(seat)
        text.seat, text.computed = None, 0
        return seat

    def extend(self, text: Text, size: int) -> None:
        """So many more tokens of the text were computed."""
        seat, first = text.seat, text.computed
        assert seat is not None
        self._held[seat] += text.tokens[first : first + size]
        self._cells.extend(seat, size)
        text.computed += size

    def cut(self, seat: int, keep: int) -> list[Cut]:
        """Give up all after the first `keep` tokens."""
        if len(self._held[seat]) <= keep:
            return []
        del self._held[seat][keep:]
        self._cells.cut(seat, keep)
        return [Cut(seat, keep)]

    def clear_oldest(self) -> list[Cut]:
        """Give up what an ended text has left: of several that which was of no use for longest."""
        stored = [seat for seat in self._stored() if self._held[seat]]
        return self.cut(min(stored, key=self._touched.__getitem__), 0) if stored else []

    def clear_stored(self) -> list[Cut]:
        """Give up all that ended texts have left."""
        return self._clear(self._stored())

    def clear(self) -> None:
        """The cache was emptied."""
        self._clear(range(len(self._held)))

    def _stored(self) -> list[int]:
        return [seat for seat, owner in enumerate(self._owners) if owner is None]

    def _clear(self, seats: Iterable[int]) -> list[Cut]:
        return [cut for seat in seats for cut in self.cut(seat, 0)]

    def _touch(self, seat: int) -> None:
        self._clock += 1
        self._touched[seat] = self._clock
