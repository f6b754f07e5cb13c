"""Our kernels give libggml's bytes, whatever the weights, the row length and the importance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization.kernels.dispatch import GgmlKernels, NumbaKernels

pytest.importorskip("numba")

FORMATS = (
    *("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"),
    *("TQ1_0", "TQ2_0"),
)
OURS = NumbaKernels()
THEIRS = GgmlKernels("the oracle")

Shape = tuple[int, int]
Maker = Callable[[np.random.Generator, Shape], np.ndarray]


def outlier(random: np.random.Generator, shape: Shape) -> np.ndarray:
    rows = random.normal(0, 1e-3, shape)
    rows[:, shape[1] // 3] = 100
    return rows


def signed_zeros(random: np.random.Generator, shape: Shape) -> np.ndarray:
    """Which zero comes first decides the sign of some minimums."""
    zeros = np.where(random.random(shape) < 0.5, 0.0, -0.0)
    return np.where(random.random(shape) < 0.1, random.random(shape), zeros)


def uneven_blocks(random: np.random.Generator, shape: Shape) -> np.ndarray:
    """Sub-blocks so small beside their neighbours that their scale becomes 0."""
    sizes = 10.0 ** random.integers(-12, 3, (shape[0], shape[1] // 16))
    return random.normal(0, 1, shape) * np.repeat(sizes, 16, axis=1)


def of_size(size: float) -> Maker:
    return lambda random, shape: random.normal(0, size, shape)


WEIGHTS: dict[str, Maker] = {
    "normal": lambda random, shape: random.normal(0, 0.02, shape),
    "heavy-tailed": lambda random, shape: random.standard_t(1.5, shape) * 0.02,
    "uniform": lambda random, shape: random.uniform(-1, 1, shape),
    "positive": lambda random, shape: random.uniform(0.1, 1, shape),
    "negative": lambda random, shape: random.uniform(-1, -0.1, shape),
    "sparse": lambda random, shape: random.normal(0, 1, shape) * (random.random(shape) < 0.05),
    "constant": lambda random, shape: np.full(shape, 0.37),
    "constant negative": lambda random, shape: np.full(shape, -0.37),
    "zero": lambda random, shape: np.zeros(shape),
    "negative zero": lambda random, shape: -np.zeros(shape),
    "signed zeros": signed_zeros,
    "outlier": outlier,
    "uneven blocks": uneven_blocks,
    "ties": lambda random, shape: random.integers(-8, 9, shape) / 16,
    "signs": lambda random, shape: np.where(random.random(shape) < 0.5, 1.0, -1.0),
    "denormal": lambda random, shape: random.normal(0, 1e-40, shape),
    "half denormal": lambda random, shape: random.normal(0, 1e-38, shape),
    "vanishing": lambda random, shape: (
        random.normal(0, 1, shape) * 10.0 ** random.integers(-45, -30, shape)
    ),
}
WEIGHTS |= {f"1e{power}": of_size(10.0**power) for power in range(-36, 9, 4)}

IMPORTANCE: dict[str, Maker] = {
    "even": lambda random, shape: random.random(shape),
    "steep": lambda random, shape: random.random(shape) ** 8 * 1e4,
    "holes": lambda random, shape: random.random(shape) * (random.random(shape) < 0.3),
    "zero": lambda random, shape: np.zeros(shape),
}


def check(kind: GgmlType, rows: np.ndarray, importance: np.ndarray | None) -> bool:
    """Same bytes, or both refuse; says whether there were bytes."""
    stored = {"f4": GgmlType.F32, "f2": GgmlType.F16, "u2": GgmlType.BF16}[rows.dtype.str[1:]]
    raw = np.ascontiguousarray(rows).view(np.uint8)
    try:
        expected = THEIRS.quantize(kind, raw, stored, importance)
    except OverflowError:
        with pytest.raises(OverflowError, match=kind.name):
            OURS.quantize(kind, raw, stored, importance)
        return False
    found = OURS.quantize(kind, raw, stored, importance)
    assert found.shape == expected.shape
    different = (found != expected).reshape(-1, kind.type_size).any(axis=1)
    assert not different.any(), f"{different.sum()} of {different.size} blocks differ"
    return True


def lengths(kind: GgmlType) -> list[Shape]:
    """Rows of one block and up, odd numbers of rows: groups of lanes filled and not."""
    size = kind.block_size
    return [(1, size), (3, 2 * size), (5, 3 * size), (7, 5 * size), (3, 37 * size)]


@pytest.mark.parametrize("label", WEIGHTS)
@pytest.mark.parametrize("name", FORMATS)
def test_without_importance(name: str, label: str) -> None:
    kind = GgmlType[name]
    for shape in lengths(kind):
        random = np.random.default_rng(shape)
        rows = np.clip(WEIGHTS[label](random, shape), -9e8, 9e8).astype(np.float32)
        check(kind, rows, None)


@pytest.mark.parametrize("label", WEIGHTS)
@pytest.mark.parametrize("name", FORMATS)
def test_with_importance(name: str, label: str) -> None:
    kind = GgmlType[name]
    for shape in lengths(kind)[:4]:
        random = np.random.default_rng(shape)
        rows = np.clip(WEIGHTS[label](random, shape), -9e8, 9e8).astype(np.float32)
        for make in IMPORTANCE.values():
            check(kind, rows, make(random, (1, shape[1]))[0].astype(np.float32))


@pytest.mark.parametrize("name", FORMATS)
def test_most_of_these_rows_have_blocks(name: str) -> None:
    """Or the tests above would compare refusals."""
    kind = GgmlType[name]
    shape = (2, 2 * kind.block_size)
    made = [
        check(kind, np.clip(make(np.random.default_rng(1), shape), -9e8, 9e8).astype("<f4"), None)
        for make in WEIGHTS.values()
    ]
    assert sum(made) > 0.8 * len(made)
    assert not all(made)


@pytest.mark.parametrize("label", ["normal", "vanishing", "signed zeros", "1e4", "ties"])
@pytest.mark.parametrize("name", ["Q8_0", "Q4_K", "Q6_K"])
def test_half_precision_goes_in_as_it_is(name: str, label: str) -> None:
    """All bit patterns of F16 and BF16 that are numbers, denormals included."""
    kind = GgmlType[name]
    random = np.random.default_rng(3)
    shape = (5, 3 * kind.block_size)
    rows = WEIGHTS[label](random, shape).astype(np.float32)
    check(kind, np.clip(rows, -65504, 65504).astype(np.float16), None)
    check(kind, (rows.view(np.uint32) >> 16).astype(np.uint16), None)


@pytest.mark.parametrize("name", ["Q8_0", "Q4_K", "Q6_K"])
@pytest.mark.parametrize("stored", ["F16", "BF16"])
def test_every_half_precision_number(name: str, stored: str) -> None:
    bits = np.arange(1 << 16, dtype=np.uint16)
    infinite = 0x7C00 if stored == "F16" else 0x7F80
    largest = 0x7BFF if stored == "F16" else 0x4E00  # 5e8
    numbers = bits[((bits & 0x7FFF) <= largest) & ((bits & infinite) != infinite)]
    numbers = np.resize(numbers, (len(numbers) // 256 + 1, 256))
    check(GgmlType[name], numbers.view(np.float16) if stored == "F16" else numbers, None)


@settings(max_examples=40)
@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40),
    st.integers(0, 2**32 - 1),
    st.sampled_from(FORMATS),
    st.booleans(),
)
def test_any_weights(values: list[float], seed: int, name: str, weighted: bool) -> None:
    """Few different values many times over: ties in every search."""
    kind = GgmlType[name]
    random = np.random.default_rng(seed)
    shape = (int(random.integers(1, 4)), kind.block_size * int(random.integers(1, 5)))
    rows = random.choice(np.array(values, dtype=np.float32), shape)
    importance = random.choice(np.array([0, 1, 1e-6, 7], np.float32), shape[1])
    check(kind, rows, importance if weighted else None)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1.1e9, -3e38])
@pytest.mark.parametrize("name", FORMATS)
def test_what_no_block_holds_is_refused(name: str, value: float) -> None:
    kind = GgmlType[name]
    rows = np.random.default_rng(5).normal(0, 1, (3, 3 * kind.block_size)).astype(np.float32)
    OURS.quantize(kind, rows.view(np.uint8), GgmlType.F32)
    for column in (0, kind.block_size + 17, 3 * kind.block_size - 1):
        bad = rows.copy()
        bad[1, column] = value
        for importance in (None, np.ones(rows.shape[1], dtype=np.float32)):
            with pytest.raises(OverflowError, match=name):
                OURS.quantize(kind, bad.view(np.uint8), GgmlType.F32, importance)
