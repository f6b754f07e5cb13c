"""A conversion as a value: what the GGUF will say, and where its tensors come from."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from qwq_gguf.conversion.parts import Part
from qwq_gguf.ggml_types import FileType, GgmlType
from qwq_gguf.metadata import KeyValue, u32

if TYPE_CHECKING:
    from pathlib import Path

    from qwq_gguf.checkpoint.values import TensorInfo

__all__ = [
    "Change",
    "ComputedTensor",
    "Conversion",
    "ModelFacts",
    "Piece",
    "RowOrder",
    "Source",
    "SourceTensor",
]

QUANTIZATION_VERSION = 2
_LAYER = re.compile(r"blk\.(\d+)\.")
_EXACT = ("_norm.weight", "ffn_gate_inp.weight", "ffn_gate_inp_shexp.weight", "ssm_conv1d.weight")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The sizes that a recipe's conditions ask about. `experts` is 0 for a dense model."""

    architecture: str
    layers: int
    heads: int
    kv_heads: int
    experts: int
    embedding: int
    vocab: int
    tied: bool
    context: int


@dataclass(frozen=True, slots=True)
class RowOrder:
    """Rows that change places within groups of `len(order)`.

    Row `g * group + i` of the GGUF tensor is row `g * group + order[i]` of the checkpoint's,
    so a reader needs no more than the groups it is asked for. `order` is a permutation of
    `range(group)`.
    """

    order: tuple[int, ...]

    @property
    def group(self) -> int:
        """Rows in one group."""
        return len(self.order)


@dataclass(frozen=True, slots=True)
class ComputedTensor:
    """A tensor that no shard holds: `data` is its little-endian F32 bytes."""

    name: str
    shape: tuple[int, ...]
    data: bytes
    dtype: str = "F32"

    @property
    def nbytes(self) -> int:
        """Bytes of the data."""
        return len(self.data)


Source: TypeAlias = "TensorInfo | Part | ComputedTensor"
Change: TypeAlias = Literal["", "plus one", "minus exp"]


class Piece(NamedTuple):
    """Rows of a GGUF tensor that lie in one place: all or the first of what `source` holds
    from its own row `first` on, `rows` of them.
    """

    source: Source
    first: int
    rows: int


@dataclass(frozen=True, slots=True)
class SourceTensor:
    """One tensor of the GGUF and where its values are.

    `shape` is in GGUF order, `ne0` (the length of a row) first. `sources` hold the rows, one
    after the other: a single one as a rule, the experts' matrices where they are stacked,
    and parts of tensors; they may lie in several shards. `layer` is None outside the
    blocks. `row_order` says which rows change places within a source, None for none; the
    rows of a vector are its elements. `change` is done to each number, which becomes F32.
    `kept` is the type of a tensor that no recipe may touch.

    ValueError when the sources cannot be stacked: these are for whoever makes one to check.
    """

    name: str
    shape: tuple[int, ...]
    sources: tuple[Source, ...]
    layer: int | None = None
    row_order: RowOrder | None = None
    kept: GgmlType = GgmlType.F32
    change: Change = ""
    _stops: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        kinds = {source.dtype for source in self.sources}
        stops = tuple(accumulate(self._rows_of(source) for source in self.sources))
        if len(kinds) != 1 or stops[-1] != self.rows:
            raise ValueError(f"{self.name}: these tensors cannot be stacked")
        object.__setattr__(self, "_stops", stops)

    def _rows_of(self, source: Source) -> int:
        if isinstance(source, Part):
            return source.rows
        return prod(source.shape) // self.shape[0]

    @property
    def stored(self) -> GgmlType:
        """How the weights are stored, when they have been read."""
        return GgmlType.F32 if self.change else GgmlType[self.sources[0].dtype]

    @property
    def extra_bytes(self) -> float:
        """Bytes a weight that reading takes beside what it gives, at most."""
        parts = [source.extra_bytes for source in self.sources if isinstance(source, Part)]
        return max(parts, default=0.0) + (8.0 if self.change else 0.0)

    @property
    def least_weights(self) -> int:
        """How many weights are in memory for a single row, at most."""
        # Rows that change places do so within a group, of which a chunk may touch two.
        order = self.row_order
        groups = 1 if order is None else 2 * order.group
        return max(groups * self.shape[0], self.read_whole)

    @property
    def read_whole(self) -> int:
        """How many weights are read at once for any row of it, at most; 0 where rows are."""
        parts = (source for source in self.sources if isinstance(source, Part) and source.turned)
        return max((part.least_weights for part in parts), default=0)

    @property
    def rows(self) -> int:
        """Rows of `shape[0]` weights; higher dimensions are counted through."""
        return self.weights // self.shape[0]

    @property
    def shards(self) -> tuple[Path, ...]:
        """The files that hold it, none for a computed one."""
        held: dict[Path, None] = {}
        for source in self.sources:
            if isinstance(source, Part):
                held |= dict.fromkeys(source.shards)
            elif not isinstance(source, ComputedTensor):
                held[source.shard] = None
        return tuple(held)

    def pieces(self, first: int, count: int) -> Iterator[Piece]:
        """Where the rows `first` to `first + count` lie, in order."""
        stop = first + count
        number = bisect_right(self._stops, first)
        while first < stop:
            begin = self._stops[number - 1] if number else 0
            rows = min(stop, self._stops[number]) - first
            yield Piece(self.sources[number], first - begin, rows)
            first += rows
            number += 1

    @property
    def plain(self) -> bool:
        """Whether llama.cpp's converter stores this tensor as F32 in every file."""
        if self.kept is not GgmlType.F32:
            return False
        exact = self.name.endswith(_EXACT) or not self.name.endswith(".weight")
        return len(self.shape) < 2 or exact

    @property
    def weights(self) -> int:
        """The number of values."""
        return prod(self.shape)

    @property
    def order(self) -> tuple[int, str]:
        """The sort key of llama.cpp's loader, and so of the file that llama-quantize writes:
        what belongs to no layer by name, then layer by layer, by name.
        """
        match = _LAYER.match(self.name)
        return (int(match[1]) if match else -1, self.name)


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a checkpoint means in GGUF, or what a GGUF says that is to be quantized again.

    `metadata` is in the order of llama.cpp's converter, without `general.file_type` and
    `general.quantization_version`: these depend on the recipe. llama-quantize moves them to
    the end (version first, then type); the converter writes them at `file_type_at` and
    `quantization_version_at`, see `converter_metadata`.

    `tensors` is in the order in which llama-quantize visits and writes them
    (`SourceTensor.order`). The converter's own order, by shard and Hugging Face name with
    computed tensors first, is `converter_order`. `notes` say what was found in the source
    that is not usual, and how it was read. `packed` is what the converter calls a file of
    one float type in which some matrices stay quantized as the checkpoint has them.
    """

    architecture: str
    name: str
    facts: ModelFacts
    metadata: tuple[KeyValue, ...]
    tensors: tuple[SourceTensor, ...]
    converter_order: tuple[SourceTensor, ...]
    file_type_at: int
    quantization_version_at: int
    notes: tuple[str, ...] = ()
    packed: FileType | None = None

    def converter_metadata(self, file_type: int) -> tuple[KeyValue, ...]:
        """All entries where the converter writes them, for a file of one float type."""
        entries = list(self.metadata)
        version = u32("general.quantization_version", QUANTIZATION_VERSION)
        entries.insert(self.quantization_version_at, version)
        entries.insert(self.file_type_at, u32("general.file_type", file_type))
        return tuple(entries)
