"""What TQ1_0 and TQ2_0 have in common: 256 weights as -1, 0 or 1 times the largest magnitude."""

from __future__ import annotations

from typing import Any

from qwq_gguf.quantization.kernels.blocks import set_places
from qwq_gguf.quantization.kernels.jit import compiled
from qwq_gguf.quantization.kernels.memory import (
    places,
    rows_of_floats,
    rows_of_integers,
    store_words,
)
from qwq_gguf.quantization.kernels.numbers import (
    absolute,
    finite,
    half_of,
    larger,
    not_half,
    rounded,
    too_large,
)
from qwq_gguf.quantization.kernels.one_block import (
    fetch,
    highest,
    lane_of,
    load_block,
    set_lane,
)
from qwq_gguf.quantization.kernels.vector import LANES, bits_of, float_of, pick

__all__ = ["SIZE", "blocks", "levels"]

SIZE = 256
_AHEAD = 2 * SIZE  # weights from here to those that should be on their way


@compiled
def _scales(source: Any, first: int, here: int, peaks: Any, inverses: Any) -> None:
    """Fill peaks with the bits of each block's largest magnitude, and inverses with what its
    weights are multiplied by; past the last block both repeat.
    """
    for lane in range(here):
        start = (first + lane) * SIZE
        fetch(source, start + _AHEAD)
        peak = bits_of(absolute(load_block(source, start)))
        for part in range(1, SIZE // LANES):
            peak = larger(bits_of(absolute(load_block(source, start + part * LANES))), peak)
        set_lane(peaks, 0, lane, highest(peak))
    for lane in range(here, LANES):
        set_lane(peaks, 0, lane, lane_of(peaks, 0, here - 1))
    d = float_of(peaks[0])
    # Where 1 / d is infinite, C takes infinities and NaN to level 1.
    inverses[0] = finite(pick(d != 0.0, 1.0 / d, 0.0))


@compiled
def levels(source: Any, start: int, inverse: Any) -> Any:
    """0, 1 or 2 for each of the 32 weights from a place on."""
    return rounded(load_block(source, start) * inverse) + 1


@compiled
def blocks(source: Any, out: Any, size: int, scale: int, pack: Any) -> bool:
    """Stored weights to blocks of `size` bytes; False if a weight or a scale does not fit.

    The scale is at the byte `scale`. `pack` writes the levels of one block: it gets the source,
    where its weights begin there, what they are multiplied by, the room, where the block begins.
    """
    peaks = rows_of_integers(1)
    inverses = rows_of_floats(1)
    starts = places(32)
    count = len(source) // SIZE
    fine = True
    for group in range((count + LANES - 1) // LANES):
        first = group * LANES
        here = min(LANES, count - first)
        _scales(source, first, here, peaks, inverses)
        half = half_of(float_of(peaks[0]))
        set_places(starts, group, count, size, scale)
        store_words(half, 2, out, starts)
        for lane in range(here):
            block = first + lane
            pack(source, block * SIZE, lane_of(inverses, 0, lane), out, block * size)
        fine &= not (too_large(peaks[0]) or not_half(half))
    return fine
