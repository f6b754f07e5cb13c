"""A conversion as a value: what the GGUF will say, and where its tensors come from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.metadata import KeyValue, u32

if TYPE_CHECKING:
    from pathlib import Path

    from qwq_gguf.checkpoint.values import TensorInfo

__all__ = ["ComputedTensor", "Conversion", "ModelFacts", "Piece", "RowOrder", "SourceTensor"]

QUANTIZATION_VERSION = 2
_LAYER = re.compile(r"blk\.(\d+)\.")
_EXACT = ("_norm.weight", "ffn_gate_inp.weight")


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


class Piece(NamedTuple):
    """Rows of a GGUF tensor that lie in one place: all or the first of what `source` holds
    from its own row `first` on, `rows` of them.
    """

    source: TensorInfo | ComputedTensor
    first: int
    rows: int


@dataclass(frozen=True, slots=True)
class SourceTensor:
    """One tensor of the GGUF and where its values are.

    `shape` is in GGUF order, `ne0` (the length of a row) first. `sources` hold the rows, one
    after the other and equally many each: a single one as a rule, and the experts' matrices
    where they are stacked; they may lie in several shards. `layer` is None outside the
    blocks. `row_order` says which rows change places within a source, None for none; the
    rows of a vector are its elements. `kept` is the type of a tensor that no recipe may touch.

    ValueError when the sources cannot be stacked: these are for whoever makes one to check.
    """

    name: str
    shape: tuple[int, ...]
    sources: tuple[TensorInfo | ComputedTensor, ...]
    layer: int | None = None
    row_order: RowOrder | None = None
    kept: GgmlType = GgmlType.F32

    def __post_init__(self) -> None:
        kinds = {source.dtype for source in self.sources}
        if len(kinds) != 1 or self.rows % len(self.sources):
            raise ValueError(f"{self.name}: these tensors cannot be stacked")

    @property
    def stored(self) -> GgmlType:
        """How the sources store the weights."""
        return GgmlType[self.sources[0].dtype]

    @property
    def rows(self) -> int:
        """Rows of `shape[0]` weights; higher dimensions are counted through."""
        return self.weights // self.shape[0]

    @property
    def shards(self) -> tuple[Path, ...]:
        """The files that hold it, none for a computed one."""
        held = (s.shard for s in self.sources if not isinstance(s, ComputedTensor))
        return tuple(dict.fromkeys(held))

    def pieces(self, first: int, count: int) -> Iterator[Piece]:
        """Where the rows `first` to `first + count` lie, in order."""
        each = self.rows // len(self.sources)
        stop = first + count
        while first < stop:
            number, within = divmod(first, each)
            rows = min(stop - first, each - within)
            yield Piece(self.sources[number], within, rows)
            first += rows

    @property
    def plain(self) -> bool:
        """Whether llama.cpp's converter stores this tensor as F32 in every file."""
        return len(self.shape) < 2 or self.name.endswith(_EXACT)

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
    that is not usual, and how it was read.
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

    def converter_metadata(self, file_type: int) -> tuple[KeyValue, ...]:
        """All entries where the converter writes them, for a file of one float type."""
        entries = list(self.metadata)
        version = u32("general.quantization_version", QUANTIZATION_VERSION)
        entries.insert(self.quantization_version_at, version)
        entries.insert(self.file_type_at, u32("general.file_type", file_type))
        return tuple(entries)
