"""No weight that is NaN or infinite gets through a kernel, wherever it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization.kernels.dispatch import GgmlKernels, Kernels, NumbaKernels

pytest.importorskip("numba")

FORMATS = (
    *("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"),
    *("TQ1_0", "TQ2_0"),
)
STORED = ("F32", "F16", "BF16")
OURS = NumbaKernels()
THEIRS = GgmlKernels("for what has no kernel")

# Quiet and signalling NaN of either sign and several payloads, both infinities.
BAD = {
    "F32": (0x7FC00000, 0x7F800001, 0xFFFFFFFF, 0x7F800000, 0xFF800000),
    "F16": (0x7E00, 0x7C01, 0xFFFF, 0x7C00, 0xFC00),
    "BF16": (0x7FC0, 0x7F81, 0xFFFF, 0x7F80, 0xFF80),
}


def with_one_bad(stored: str, weights: int) -> Iterator[np.ndarray]:
    """A row of good weights in which one is bad, for every place in turn."""
    row = np.random.default_rng(7).normal(0, 1, (1, weights)).astype(np.float32)
    if stored == "F32":
        bits = row.view(np.uint32)
    elif stored == "F16":
        bits = row.astype(np.float16).view(np.uint16)
    else:
        bits = (row.view(np.uint32) >> 16).astype(np.uint16)
    for column in range(weights):
        bad = bits.copy()
        bad[0, column] = BAD[stored][column % len(BAD[stored])]
        yield bad.view(np.uint8)


def refuses_all(kernels: Kernels, kind: GgmlType, stored: str, weights: int, weighted: bool) -> int:
    importance = np.linspace(0.5, 2, weights, dtype=np.float32) if weighted else None
    tried = 0
    for column, row in enumerate(with_one_bad(stored, weights)):
        try:
            kernels.quantize(kind, row, GgmlType[stored], importance)
        except OverflowError:
            tried += 1
            continue
        pytest.fail(f"{kind.name} of {stored} takes the weight in column {column}")
    return tried


def whole_group_and_more(kind: GgmlType) -> int:
    """More blocks than a kernel makes side by side, so that some are alone."""
    return 5 * 256 if kind.block_size == 256 else 33 * 32


# How lanes get their weights is the same for formats of a family: one of each.
FAMILIES = ("Q8_0", "Q4_0", "Q4_K", "Q6_K")


@pytest.mark.parametrize(
    "name, stored",
    [(name, stored) for name in FORMATS for stored in ("F32", "BF16")]
    + [(name, "F16") for name in FAMILIES],
)
def test_without_importance(name: str, stored: str) -> None:
    kind = GgmlType[name]
    weights = whole_group_and_more(kind)
    assert refuses_all(OURS, kind, stored, weights, False) == weights


@pytest.mark.parametrize(
    "name, stored",
    [(name, "F32") for name in FORMATS] + [(name, "BF16") for name in FAMILIES] + [("Q4_0", "F16")],
)
def test_with_importance(name: str, stored: str) -> None:
    kind = GgmlType[name]
    weights = whole_group_and_more(kind)
    assert refuses_all(OURS, kind, stored, weights, True) == weights


@pytest.mark.parametrize(
    "name, stored",
    [("IQ4_XS", stored) for stored in STORED]
    + [(kind, stored) for kind in STORED for stored in STORED if kind != stored],
)
def test_by_libggml(name: str, stored: str, capfd: pytest.CaptureFixture[str]) -> None:
    kind = GgmlType[name]
    assert refuses_all(THEIRS, kind, stored, 256, False) == 256
    capfd.readouterr()  # it describes what it finds on standard error
