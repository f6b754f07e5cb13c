"""Which cells of a KV cache are taken, where sequences share some: counted, not looked up.

llama.cpp gives a cell to each token of a sequence. A sequence that is copied from another
has its cells with it, and a cell is free once no sequence has it any more. So a seat holds
blocks of cells, each with the number of seats that hold it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Cells"]


@dataclass(slots=True)
class _Block:
    size: int
    holders: int = 1


class Cells:
    """The cells of some seats (sequence ids), none of them taken at first."""

    def __init__(self, seats: int) -> None:
        self._blocks: list[list[_Block]] = [[] for _ in range(seats)]
        self.used = 0

    def of(self, seat: int) -> int:
        """Cells of this seat: those it shares with others, too."""
        return sum(block.size for block in self._blocks[seat])

    def freed_without(self, seat: int) -> int:
        """Cells that nobody would have if this seat had none."""
        return sum(block.size for block in self._blocks[seat] if block.holders == 1)

    def extend(self, seat: int, count: int) -> None:
        """Take new cells, after those that it has."""
        if count <= 0:
            return
        blocks = self._blocks[seat]
        if blocks and blocks[-1].holders == 1:
            blocks[-1].size += count
        else:
            blocks.append(_Block(count))
        self.used += count

    def cut(self, seat: int, keep: int) -> None:
        """Give up all after the first `keep`."""
        at = self._split(seat, keep)
        blocks = self._blocks[seat]
        for block in blocks[at:]:
            block.holders -= 1
            if block.holders == 0:
                self.used -= block.size
        del blocks[at:]

    def copy(self, source: int, target: int, count: int) -> None:
        """Share the first `count` of a seat with one that has none."""
        assert not self._blocks[target], "the target has cells"
        at = self._split(source, count)
        self._blocks[target] = self._blocks[source][:at]
        for block in self._blocks[target]:
            block.holders += 1

    def _split(self, seat: int, at: int) -> int:
        """The number of blocks that hold exactly the first `at` cells."""
        before = 0
        for index, block in enumerate(self._blocks[seat]):
            if before == at:
                return index
            if before + block.size > at:
                self._cleave(block, at - before)
                return index + 1
            before += block.size
        return len(self._blocks[seat])

    def _cleave(self, block: _Block, size: int) -> None:
        """Make two of a block, wherever it is held."""
        rest = _Block(block.size - size, block.holders)
        block.size = size
        for blocks in self._blocks:
            for index, each in enumerate(blocks):
                if each is block:
                    blocks.insert(index + 1, rest)
                    break
