"""What a run does, in order: which rows are read, and where their blocks belong. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.conversion.parts import Part
from qwq_gguf.conversion.values import ComputedTensor, Piece, Source, SourceTensor
from qwq_gguf.errors import PlanError
from qwq_gguf.quantization.planning.plan import Plan, TensorPlan
from qwq_gguf.quantization.running.rows import Rows, pieces

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Chunk", "Place", "Stretch", "Work", "line_up"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor goes in one of the targets; `part` counts the target's files."""

    target: int
    part: int
    data_offset: int
    tensor: TensorPlan


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows `first` to `first + rows` of a tensor, all of one matrix and from one source."""

    places: tuple[Place, ...]
    first: int
    rows: int

    @property
    def source(self) -> SourceTensor:
        """Where the rows come from, the same for all places."""
        return self.places[0].tensor.source

    @property
    def piece(self) -> Piece:
        """What of the source they are."""
        (piece,) = self.source.pieces(self.first, self.rows)
        return piece

    @property
    def shards(self) -> tuple[Path, ...]:
        """The files they are read from, by name: one as a rule, or with that of their scales;
        none for a computed tensor.
        """
        return _shards(self.piece.source)

    @property
    def weights(self) -> int:
        """How many numbers the rows hold."""
        return self.rows * self.source.shape[0]

    def importance(self, place: Place) -> NDArray[np.float32] | None:
        """A weight for each column of the chunk's matrix, None where all count alike."""
        table = place.tensor.importance
        return None if table is None else table[self.first // place.tensor.matrix_rows]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows `first` to `stop` of a tensor, all that one of its sources holds."""

    places: tuple[Place, ...]
    first: int
    stop: int
    source: Source


@dataclass(frozen=True, slots=True)
class Work:
    """All stretches of a run in the order of reading, and the size of a chunk.

    `done` says of each target which rows of its tensors are there already, by name.
    """

    stretches: tuple[Stretch, ...]
    most_weights: int
    done: tuple[Mapping[str, Rows], ...]

    @property
    def weights(self) -> int:
        """How many numbers the model has, those that are done included."""
        return sum(
            (stretch.stop - stretch.first) * stretch.places[0].tensor.shape[0]
            for stretch in self.stretches
        )

    @property
    def missing(self) -> int:
        """How many of them are to be read."""
        return sum(chunk.weights for chunk in self.chunks)

    @property
    def chunks(self) -> Iterator[Chunk]:
        """What is to be read, in order; each row for the targets that miss it."""
        for stretch in self.stretches:
            places = stretch.places
            done = [self.done[place.target].get(place.tensor.name, ()) for place in places]
            for first, stop, without in pieces(stretch.first, stretch.stop, done):
                yield from _chunks(
                    tuple(places[number] for number in without), first, stop, self.most_weights
                )

    def chunks_of_shards(self) -> dict[Path, int]:
        """How many chunks each shard has, in the order of reading."""
        counts: dict[Path, int] = {}
        for chunk in self.chunks:
            for shard in chunk.shards:
                counts[shard] = counts.get(shard, 0) + 1
        return counts


def line_up(
    plans: Sequence[Plan],
    most_weights: int,
    *,
    by_shard: bool = False,
    done: Sequence[Mapping[str, Rows]] | None = None,
) -> Work:
    """The work of plans that are made of the same tensors, each read once.

    In the order of the first plan's file, so that it is written from its beginning to its
    end; or, `by_shard`, in that of the shards. PlanError if the plans differ in what they
    are made of.
    """
    found: dict[str, list[Place]] = {}
    for target, plan in enumerate(plans):
        for number, part in enumerate(plan.parts):
            for tensor in part.tensors:
                place = Place(target, number, part.data_offset, tensor)
                found.setdefault(tensor.name, []).append(place)
    for name, places in found.items():
        if len(places) != len(plans) or any(
            place.tensor.source != places[0].tensor.source for place in places
        ):
            raise PlanError("these plans are not of one model", found=name)
    stretches = [each for places in found.values() for each in _stretches(tuple(places))]
    if by_shard:
        # Of a stacked tensor each shard's own part, so that none has to come twice.
        stretches.sort(key=_where)
    there: Sequence[Mapping[str, Rows]] = [{} for _ in plans] if done is None else done
    return Work(tuple(stretches), most_weights, tuple(there))


def _stretches(places: tuple[Place, ...]) -> Iterator[Stretch]:
    source = places[0].tensor.source
    first = 0
    for piece in source.pieces(0, source.rows):
        yield Stretch(places, first, first + piece.rows, piece.source)
        first += piece.rows


def _shards(source: Source) -> tuple[Path, ...]:
    if isinstance(source, ComputedTensor):
        return ()
    if isinstance(source, Part):
        return tuple(sorted(source.number_shards))
    return (source.shard,)


def _where(stretch: Stretch) -> tuple[str, bool, str, int]:
    """The last of its shards; what needs an earlier one too comes first there, so that this can
    go.
    """
    source, shards = stretch.source, _shards(stretch.source)
    if isinstance(source, ComputedTensor):
        return "", False, "", 0
    return str(shards[-1]), len(shards) == 1, str(source.shard), source.start


def _chunks(places: tuple[Place, ...], first: int, stop: int, most_weights: int) -> Iterator[Chunk]:
    """Rows `first` to `stop` in pieces, none with rows of two matrices."""
    tensor = places[0].tensor
    # What has to be read whole for a row is used for all of its rows.
    rows = max(1, max(most_weights, tensor.source.read_whole) // tensor.shape[0])
    order = tensor.source.row_order
    while first < stop:
        end = first + rows
        if order is not None and rows > order.group:
            end -= end % order.group  # whole groups, so that none is read twice
        end = min(end, stop, (first // tensor.matrix_rows + 1) * tensor.matrix_rows)
        yield Chunk(places, first, end - first)
        first = end
