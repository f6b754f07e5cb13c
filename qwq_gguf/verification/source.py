"""A GGUF's tensors made again from the checkpoint or the GGUF that they came from, and
compared byte for byte.

Each tensor is quantized to the type it has in the file, so the file may come from any
program that gives llama.cpp's bytes, and no recipe is needed. libggml itself does it,
whichever kernels made the file: the check is independent of them.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from qwq_gguf.checkpoint.reader import ShardReader
from qwq_gguf.errors import GgufError, TensorError, UnsupportedError
from qwq_gguf.files.reading import open_file
from qwq_gguf.ggml_types import trimmed
from qwq_gguf.gguf_file.reader import GgufFile, GgufTensor
from qwq_gguf.machine import usable_processors
from qwq_gguf.metadata import text_bytes
from qwq_gguf.quantization.kernels.ggml import Ggml
from qwq_gguf.quantization.planning.importance import Imatrix, matrices, use_imatrix
from qwq_gguf.quantization.recipes.recipe import TARGET_TYPES
from qwq_gguf.quantization.running.decoding import decode
from qwq_gguf.quantization.running.pipeline import pipeline
from qwq_gguf.quantization.running.weights import read_rows, refuse_bad
from qwq_gguf.verification.contents import Passed
from qwq_gguf.verification.findings import Finding, difference
from qwq_gguf.words import some

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qwq_gguf.conversion.values import Conversion, SourceTensor

__all__ = ["RowsToCheck", "SourceCheck", "rows_to_check", "compare_with_source"]

_CHUNK_WEIGHTS = 1 << 17

Tensors: TypeAlias = Sequence[tuple[GgufFile, GgufTensor]]
Rows: TypeAlias = list[int] | str
"""The rows that differ, or why the source gives none."""


@dataclass(frozen=True, slots=True)
class RowsToCheck:
    """Rows `first` to `first + rows` of a tensor in one of the model's files."""

    file: GgufFile
    tensor: GgufTensor
    source: SourceTensor
    first: int
    rows: int

    @property
    def matrix(self) -> int:
        """Which matrix of the tensor the rows are of."""
        rows = self.tensor.weights // self.tensor.shape[0]
        return self.first // (rows // matrices(self.tensor.shape))

    @property
    def row_bytes(self) -> int:
        """Bytes of a row in the file."""
        return self.tensor.type.row_bytes(self.tensor.shape[0])

    @property
    def nbytes(self) -> int:
        """Bytes of the chunk in the file."""
        return self.rows * self.row_bytes


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """`compared` of all `total` tensor bytes were made again."""

    findings: tuple[Finding, ...]
    compared: int
    total: int


def rows_to_check(
    tensors: Tensors, sources: Mapping[str, SourceTensor], *, seed: int, everything: bool
) -> list[RowsToCheck]:
    """One chunk of rows of each tensor, drawn by `seed`; or all chunks of all tensors.

    Tensors that the two sides do not share by name and shape are left out.
    """
    found: list[RowsToCheck] = []
    for file, tensor in tensors:
        source = sources.get(tensor.name)
        if source is None or trimmed(source.shape) != trimmed(tensor.shape):
            continue
        chunks = list(_cut(file, tensor, source))
        if not everything:  # bytes seed the same way in every Python
            chunks = [random.Random(text_bytes(f"{seed}|{tensor.name}")).choice(chunks)]
        found += chunks
    return found


def _cut(file: GgufFile, tensor: GgufTensor, source: SourceTensor) -> Iterator[RowsToCheck]:
    """Chunks of whole groups of rows; none reaches over two matrices of a tensor."""
    total = tensor.weights // tensor.shape[0]
    matrix = total // matrices(tensor.shape)
    rows = max(1, _CHUNK_WEIGHTS // tensor.shape[0])
    if source.row_order is not None and rows > source.row_order.group:
        rows -= rows % source.row_order.group
    for start in range(0, total, matrix):
        stop = start + matrix
        for at in range(start, stop, rows):
            yield RowsToCheck(file, tensor, source, at, min(rows, stop - at))


def compare_with_source(
    tensors: Tensors,
    conversion: Conversion,
    ggml: Ggml,
    *,
    seed: int = 0,
    everything: bool = False,
    imatrix: Imatrix | None = None,
    passed: Passed | None = None,
) -> SourceCheck:
    """Compare the tensors of a model's files with what the source gives.

    `imatrix` is the one the file was made with. ImatrixError when it is of another model;
    ShardError and TensorError where the source cannot be read; GgufError where a file
    shrinks.
    """
    sources = {source.name: source for source in conversion.tensors}
    names = {tensor.name for _, tensor in tensors}
    found: list[Finding] = []
    for _, tensor in tensors:
        source = sources.get(tensor.name)
        if source is None:
            found.append(difference("source", tensor.name, "the source has no such tensor"))
        elif trimmed(source.shape) != trimmed(tensor.shape):
            shapes = f"shape {list(tensor.shape)} here, {list(source.shape)} in the source"
            found.append(difference("source", tensor.name, shapes))
    found += [
        difference("source", name, "only in the source") for name in sources if name not in names
    ]
    chunks = rows_to_check(tensors, sources, seed=seed, everything=everything)
    for kind in {chunk.tensor.type for chunk in chunks} & set(TARGET_TYPES):
        ggml.prepare(kind)
    weights: Mapping[str, NDArray[np.float32]] = {}
    if imatrix is not None:
        stored = [tensor for _, tensor in tensors]
        weights = use_imatrix(imatrix, stored, [tensor.type for tensor in stored]).weights
    unequal: dict[str, list[int]] = {}
    unmade: dict[str, str] = {}
    with ShardReader() as reader:

        def compare(chunk: RowsToCheck, stored: bytes) -> tuple[RowsToCheck, Rows]:
            table = weights.get(chunk.tensor.name)
            importance = None if table is None else table[chunk.matrix]
            blocks = _make(chunk, reader, ggml, importance)
            if isinstance(blocks, str):
                return chunk, blocks
            rows = np.frombuffer(stored, dtype=np.uint8).reshape(blocks.shape)
            unlike = np.flatnonzero((rows != blocks).any(axis=1))
            return chunk, [chunk.first + int(row) for row in unlike]

        workers = usable_processors()
        for chunk, result in pipeline(chunks, _stored, compare, workers=workers):
            if isinstance(result, str):
                unmade[chunk.tensor.name] = result
            elif result:
                unequal.setdefault(chunk.tensor.name, []).extend(result)
            if passed is not None:
                passed(chunk.nbytes, chunk.tensor.name)
    for _, tensor in tensors:
        if tensor.name in unmade:
            found.append(difference("source", tensor.name, unmade[tensor.name]))
        elif tensor.name in unequal:
            found.append(difference("source", tensor.name, _rows(sorted(unequal[tensor.name]))))
    total = sum(tensor.nbytes for _, tensor in tensors)
    return SourceCheck(tuple(found), sum(chunk.nbytes for chunk in chunks), total)


def _start(chunk: RowsToCheck) -> int:
    return chunk.tensor.offset + chunk.first * chunk.row_bytes


def _rows(rows: list[int]) -> str:
    shown = some(rows, 4)
    return f"not what the source gives, in {len(rows)} of the rows looked at: {shown}"


def _make(
    chunk: RowsToCheck, reader: ShardReader, ggml: Ggml, importance: NDArray[np.float32] | None
) -> NDArray[np.uint8] | str:
    """The bytes that the source gives for a chunk, or why it gives none."""
    kind, source = chunk.tensor.type, chunk.source
    try:
        stored = read_rows(reader, source, chunk.first, chunk.rows)
        refuse_bad(stored, source, chunk.first)
    except TensorError as error:
        return error.message
    source_type = source.stored
    if source_type is kind:
        return stored
    if kind not in TARGET_TYPES:
        return f"nothing here makes {kind.name}"
    if importance is None and ggml.requires_imatrix(kind):
        return f"{kind.name} cannot be made again without its importance matrix"
    try:
        return ggml.quantize_rows(kind, decode(stored, source_type), importance)
    except OverflowError as error:
        return str(error)
    except UnsupportedError as error:  # a table of whole numbers in the source
        return error.message


def _stored(chunk: RowsToCheck) -> bytes:
    path = chunk.file.path
    try:
        with os.fdopen(open_file(path), "rb", buffering=0) as file:
            data = os.pread(file.fileno(), chunk.nbytes, _start(chunk))
    except OSError as error:
        raise GgufError(f"cannot be read: {error.strerror or error}", path=path) from error
    if len(data) != chunk.nbytes:
        raise GgufError("the file shrank while it was read", path=path)
    return data
