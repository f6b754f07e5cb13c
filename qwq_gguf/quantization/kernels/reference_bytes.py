"""Whether a libggml gives the bytes that x86-64 gives, by what it makes of a known sample.

Compilers that fuse multiplications with additions (on ARM all do; elsewhere when told to
build for the machine at hand) round once where ggml's source says twice, and some blocks
come out differently. What our kernels make is the same everywhere, so their answers are
written down here, and a test compares.
"""

from __future__ import annotations

import zlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

from qwq_gguf.errors import LibraryError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization.kernels.ggml import Ggml, load_ggml

__all__ = ["ANSWERS", "answer", "gives_known_bytes", "sample", "sample_importance"]

_ROWS, _LENGTH = 64, 512

ANSWERS: dict[tuple[GgmlType, bool], int] = {
    (GgmlType.Q4_0, False): 0x90351980,
    (GgmlType.Q4_0, True): 0x2D84CAA8,
    (GgmlType.Q4_1, False): 0x194DC074,
    (GgmlType.Q4_1, True): 0xB597D122,
    (GgmlType.Q5_0, False): 0xC082D35B,
    (GgmlType.Q5_0, True): 0xB71EB7EE,
    (GgmlType.Q5_1, False): 0xEF9D5CF2,
    (GgmlType.Q5_1, True): 0x532B2035,
    (GgmlType.Q8_0, False): 0xAA2CDBB3,
    (GgmlType.Q8_0, True): 0xAA2CDBB3,
    (GgmlType.Q2_K, False): 0x04E2A70E,
    (GgmlType.Q2_K, True): 0xAEE269B7,
    (GgmlType.Q3_K, False): 0x8D44C9F9,
    (GgmlType.Q3_K, True): 0x5D206B95,
    (GgmlType.Q4_K, False): 0x61ECD9C0,
    (GgmlType.Q4_K, True): 0x75309AEB,
    (GgmlType.Q5_K, False): 0x80CC941B,
    (GgmlType.Q5_K, True): 0x30E64D91,
    (GgmlType.Q6_K, False): 0x00714CCB,
    (GgmlType.Q6_K, True): 0x05FB1630,
    (GgmlType.TQ2_0, False): 0x0E88A39E,
    (GgmlType.TQ2_0, True): 0x0E88A39E,
    (GgmlType.TQ1_0, False): 0xCAC3CD4F,
    (GgmlType.TQ1_0, True): 0xCAC3CD4F,
}
"""CRC-32 of the sample's blocks, by type and by whether its importance is used."""


def _mixed(count: int, seed: int) -> NDArray[np.uint64]:
    """Integers without a pattern, the same on every machine: the steps of SplitMix64
    (Steele, Lea and Flood, 2014).
    """
    golden = 0x9E3779B97F4A7C15
    bits = np.arange(seed, seed + count, dtype=np.uint64) * np.uint64(golden)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def sample() -> NDArray[np.float32]:
    """Weights in four quarters, in exact arithmetic: like a model's (sums of four random
    numbers), such as BF16 has, sparse, and with outliers.
    """
    bits = _mixed(_ROWS * _LENGTH, 1)
    parts = (bits >> np.uint64(16 * part) & np.uint64(0xFFFF) for part in range(4))
    whole = np.asarray(sum(part.astype(np.int64) for part in parts)) - 2 * 0xFFFF
    rows = (whole.astype(np.float32) * np.float32(2**-22)).reshape(4, -1, _LENGTH)
    rows[1] = (rows[1].view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    rows[2] *= (bits.reshape(rows.shape)[2] & np.uint64(3)) == 0
    rows[3] *= rows[3] * rows[3]
    return rows.reshape(_ROWS, _LENGTH)


def sample_importance() -> NDArray[np.float32]:
    """A weight for each column, from 2**-16 to 1."""
    bits = _mixed(_LENGTH, 1 << 32) & np.uint64(0xFFFF)
    return (bits + np.uint64(1)).astype(np.float32) * np.float32(2**-16)


# Those that came out differently where ggml was compiled with fused multiply-add; some
# others do so only once in thousands of blocks.
_TELLING = (
    (GgmlType.Q4_0, False),
    (GgmlType.Q4_K, False),
    (GgmlType.Q6_K, False),
    (GgmlType.Q4_1, True),
    (GgmlType.Q5_K, True),
    (GgmlType.Q6_K, True),
)


def gives_known_bytes(kind: GgmlType, *, weighted: bool) -> bool:
    """Whether the installed libggml gives the bytes that our kernel for a type gives."""
    return all(_answers(*each) for each in (*_TELLING, (kind, weighted)))


@cache
def _answers(kind: GgmlType, weighted: bool) -> bool:
    try:
        return answer(load_ggml(), kind, weighted) == ANSWERS.get((kind, weighted))
    except LibraryError:
        return False


def answer(ggml: Ggml, kind: GgmlType, weighted: bool) -> int:
    """What this library makes of the sample."""
    importance = sample_importance() if weighted else None
    return zlib.crc32(ggml.quantize_rows(kind, sample(), importance).data)
