"""The blocks of one chunk of rows, for every target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qwq_gguf.errors import TensorError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization.running.decoding import decode
from qwq_gguf.quantization.running.weights import refuse_bad, shard_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qwq_gguf.quantization.kernels.dispatch import Kernels
    from qwq_gguf.quantization.running.chunks import Chunk, Place

__all__ = ["make_blocks"]


def make_blocks(chunk: Chunk, rows: NDArray[np.uint8], makers: Kernels) -> list[NDArray[np.uint8]]:
    """For each place of the chunk, its rows in the planned type, shape [rows, bytes a row].

    `rows` are as stored. Targets that want the same share one array. TensorError for a
    weight that is no number, or that its type cannot hold, with its row.
    """
    kind = chunk.source.stored
    # Where weights are quantized or converted, that finds out what is no number. Copies are
    # looked at here; and blocks, of which decoded weights could hide that they are damaged.
    if kind.quantized or any(place.tensor.type is kind for place in chunk.places):
        refuse_bad(rows, chunk.source, chunk.first)
    made: dict[tuple[GgmlType, bytes | None], NDArray[np.uint8]] = {}
    blocks = []
    for place in chunk.places:
        importance = chunk.importance(place)
        key = (place.tensor.type, None if importance is None else importance.tobytes())
        if key not in made:
            made[key] = _blocks(chunk, place, rows, makers)
        blocks.append(made[key])
    return blocks


def _blocks(
    chunk: Chunk, place: Place, rows: NDArray[np.uint8], makers: Kernels
) -> NDArray[np.uint8]:
    source_type = chunk.source.stored
    if source_type is place.tensor.type:
        return rows
    try:
        return makers.quantize(place.tensor.type, rows, source_type, chunk.importance(place))
    except OverflowError:
        refuse_bad(rows, chunk.source, chunk.first)
        raise _too_large(chunk, place, rows, makers) from None


def _too_large(chunk: Chunk, place: Place, rows: NDArray[np.uint8], makers: Kernels) -> TensorError:
    kind, name = place.tensor.type, place.tensor.name
    source_type = chunk.source.stored

    def fits(row: NDArray[np.uint8]) -> bool:
        try:
            makers.quantize(kind, row, source_type, chunk.importance(place))
        except OverflowError:
            return False
        return True

    bad = next(row for row in range(len(rows)) if not fits(rows[row : row + 1]))
    source = chunk.piece.source
    return TensorError(
        f"{source.name} has weights too large for {kind.name}, "
        f"in row {chunk.first + bad} of {name}",
        path=shard_of(source),
        found=f"up to {np.abs(decode(rows[bad : bad + 1], source_type)).max():.4g}",
        hint=f"keep it as it is: --tensor-type '{name}=F32'"
        if kind in (GgmlType.F16, GgmlType.BF16)
        else f"give it a float type: --tensor-type '{name}=BF16'",
    )
