"""Matrices as packed whole numbers of few bits: random ones, in the ways of GPTQ, AWQ and
compressed-tensors. What they come to is for whoever reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from support.checkpoints import Array

__all__ = ["CASES", "as_awq", "as_compressed", "as_gptq", "packed", "some_matrices"]

Tensors = dict[str, tuple[str, Array]]
Given = Mapping[str, tuple[str, Array]]
_AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)  # numbers of a word, from its lowest bits on


def packed(numbers: NDArray[Any], bits: int, axis: int) -> NDArray[np.int32]:
    """Neighbours along an axis in one word, the first in its lowest bits; padded with zeros."""
    turned = np.moveaxis(numbers.astype(np.uint32), axis, -1)
    a_word = 32 // bits
    turned = np.pad(turned, ((0, 0), (0, -turned.shape[-1] % a_word)))
    groups = turned.reshape(*turned.shape[:-1], -1, a_word)
    shifts = np.arange(a_word, dtype=np.uint32) * bits
    words = np.bitwise_or.reduce(groups << shifts, axis=-1)
    return np.ascontiguousarray(np.moveaxis(words, -1, axis)).view(np.int32)


def _awq(numbers: NDArray[Any]) -> NDArray[np.int32]:
    """Along the second axis, the eight of a word in AWQ's order."""
    groups = numbers.reshape(len(numbers), -1, 8)[..., _AWQ_ORDER]
    return packed(groups.reshape(len(numbers), -1), 4, 1)


def _each(
    tensors: Given, pack: Callable[[np.random.Generator, str, int, int], Tensors], seed: int
) -> Tensors:
    """With the matrices of the layers packed, but for routers."""
    generator = np.random.default_rng(seed)
    found: Tensors = {}
    for name, (kind, values) in tensors.items():
        if values.ndim < 2 or ".layers." not in name or name.endswith("mlp.gate.weight"):
            found[name] = (kind, values)
        else:
            found |= pack(generator, name.removesuffix(".weight"), *values.shape)
    return found


def _codes(generator: np.random.Generator, bits: int, *shape: int) -> NDArray[np.int64]:
    return generator.integers(0, 1 << bits, shape)


def _factors(generator: np.random.Generator, kind: str, *shape: int) -> tuple[str, Array]:
    values = generator.uniform(1e-3, 1e-2, shape).astype(np.float32)
    if kind == "BF16":
        return kind, (values.view(np.uint32) >> 16).astype(np.uint16)
    return kind, values.astype({"F16": np.float16, "F32": np.float32}[kind])


def as_gptq(
    tensors: Given,
    *,
    bits: int = 4,
    group: int = 64,
    ordered: bool = False,
    biases: bool = False,
    scales: str = "F16",
    seed: int = 0,
) -> Tensors:
    """`ordered`: columns are of groups in no order. `biases`: the zeros that older ones have."""

    def pack(generator: np.random.Generator, name: str, rows: int, columns: int) -> Tensors:
        count = -(-columns // group)
        groups = np.arange(columns, dtype=np.int32) // group
        if ordered:
            generator.shuffle(groups)
        made: Tensors = {
            f"{name}.qweight": ("I32", packed(_codes(generator, bits, columns, rows), bits, 0)),
            f"{name}.qzeros": ("I32", packed(_codes(generator, bits, count, rows), bits, 1)),
            f"{name}.scales": _factors(generator, scales, count, rows),
            f"{name}.g_idx": ("I32", groups),
        }
        if biases:
            made[f"{name}.bias"] = ("F16", np.zeros(rows, np.float16))
        return made

    return _each(tensors, pack, seed)


def as_awq(tensors: Given, *, group: int = 64, seed: int = 0) -> Tensors:
    """AutoAWQ's `gemm`."""

    def pack(generator: np.random.Generator, name: str, rows: int, columns: int) -> Tensors:
        count = columns // group
        return {
            f"{name}.qweight": ("I32", _awq(_codes(generator, 4, columns, rows))),
            f"{name}.qzeros": ("I32", _awq(_codes(generator, 4, count, rows))),
            f"{name}.scales": _factors(generator, "F16", count, rows),
        }

    return _each(tensors, pack, seed)


def as_compressed(
    tensors: Given,
    *,
    bits: int = 4,
    group: int | None = 64,
    zeros: bool = False,
    scales: str = "BF16",
    ordered: bool = False,
    seed: int = 0,
) -> Tensors:
    """`pack-quantized`; `group` None: a scale for each row."""

    def pack(generator: np.random.Generator, name: str, rows: int, columns: int) -> Tensors:
        count = 1 if group is None else -(-columns // group)
        made: Tensors = {
            f"{name}.weight_packed": (
                "I32",
                packed(_codes(generator, bits, rows, columns), bits, 1),
            ),
            f"{name}.weight_scale": _factors(generator, scales, rows, count),
            f"{name}.weight_shape": ("I64", np.array([rows, columns], np.int64)),
        }
        if zeros:
            made[f"{name}.weight_zero_point"] = (
                "I32",
                packed(_codes(generator, bits, rows, count), bits, 0),
            )
        if ordered and group is not None:
            groups = np.arange(columns, dtype=np.int32) // group
            generator.shuffle(groups)
            made[f"{name}.weight_g_idx"] = ("I32", groups)
        return made

    return _each(tensors, pack, seed)


def some_matrices() -> Tensors:
    """Two matrices to pack, one of them of few rows."""
    shapes = {"q_proj": (96, 128), "k_proj": (16, 128)}
    return {
        f"model.layers.0.self_attn.{name}.weight": ("F32", np.zeros(shape, np.float32))
        for name, shape in shapes.items()
    }


def _told(bits: int, group: int | None, *, symmetric: bool) -> dict[str, Any]:
    weights: dict[str, Any] = {"num_bits": bits, "type": "int", "symmetric": symmetric}
    weights["strategy"] = "channel" if group is None else "group"
    if group is not None:
        weights["group_size"] = group
    return {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "config_groups": {"group_0": {"weights": weights}},
    }


CASES: dict[str, tuple[Callable[[Given], Tensors], dict[str, Any]]] = {
    "awq": (
        partial(as_awq, group=32),
        {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm"},
    ),
    "int4-groups": (
        partial(as_compressed, bits=4, group=32, zeros=True),
        _told(4, 32, symmetric=False),
    ),
    "int8-rows": (
        partial(as_compressed, bits=8, group=None, scales="F16"),
        _told(8, None, symmetric=True),
    ),
    "int4-rows": (
        partial(as_compressed, bits=4, group=None, zeros=True, scales="F32"),
        _told(4, None, symmetric=False),
    ),
}
"""What tests/golden/make_packed.py has unpacked by those who made the forms."""
