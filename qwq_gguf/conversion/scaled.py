"""How a checkpoint says that its weights are numbers with scales: FP8 and its kin.

Three forms are in use, and all of them mean weight times scale: `quant_method` "fp8" with
`weight_scale_inv` (DeepSeek, Qwen, Mistral), "compressed-tensors" with `weight_scale`, and
"modelopt" in FP8; besides "mxfp4", the blocks of gpt-oss. What is packed in words is known to
`packed.py`. Everything else is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.conversion.packed import PackedEncoding, packed_encoding
from qwq_gguf.conversion.parts import BYTE_NUMBERS, MXFP4_BLOCK, Scales
from qwq_gguf.errors import ConfigError, TensorError, UnsupportedError

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.values import Checkpoint, TensorInfo

__all__ = ["Encoding", "original_of", "read_encoding", "separate_scales"]

# Transformers' key, that of MLX, and older ones; MLX writes the first two.
_KEYS = ("quantization", "quantization_config", "compression_config", "quant_config")
_HUB_ID = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")
_FORMATS = ("float-quantized", "naive-quantized", "int-quantized")
_FACTORS = ("F32", "F16", "BF16", "F8_E8M0")
# What else a run in FP8 needs: scales of what goes into a product, and of the cache.
_NOT_OF_WEIGHTS = ("activation_scale", ".input_scale", ".k_scale", ".v_scale", ".output_scale")


@dataclass(frozen=True, slots=True)
class Encoding:
    """`method` names it for people. Scales have the weight's name with `ending` in place of
    `weight`; each is for a `block` of rows and columns, None for rows or all as its shape says.
    """

    method: str
    weight: str
    ending: str
    block: tuple[int, int] | None = None


def read_encoding(checkpoint: Checkpoint) -> Encoding | PackedEncoding | None:
    """None for plain weights. UnsupportedError, with what to get instead, for those that
    cannot be read.
    """
    found = {key: checkpoint.config[key] for key in _KEYS if checkpoint.config.get(key)}
    if not found:
        return None
    key, told = next(iter(found.items()))
    if key == "quantization_config" and isinstance(told, Mapping):
        path = checkpoint.folder / "config.json"
        known = _KNOWN.get(str(told.get("quant_method")))
        encoding = (known and known(told, path)) or packed_encoding(told, path)
        if encoding:
            return encoding
    raise _unsupported(checkpoint, key, told)


def _fp8(told: Mapping[str, Any], path: Path) -> Encoding:
    return Encoding("FP8", ".weight", ".weight_scale_inv", _block(told, "weight_block_size", path))


def _modelopt(told: Mapping[str, Any], path: Path) -> Encoding | None:
    if told.get("quant_algo") != "FP8":
        return None
    return Encoding("FP8 of modelopt", ".weight", ".weight_scale")


def _compressed(told: Mapping[str, Any], path: Path) -> Encoding | None:
    groups = told.get("config_groups")
    if told.get("format") not in _FORMATS or not isinstance(groups, Mapping) or len(groups) != 1:
        return None
    weights = next(iter(groups.values()))
    weights = weights.get("weights") if isinstance(weights, Mapping) else None
    if not isinstance(weights, Mapping) or weights.get("num_bits") != 8:
        return None
    if weights.get("strategy") not in ("tensor", "channel", "block"):
        return None
    block = _block(weights, "block_structure", path)
    return Encoding("compressed-tensors, 8 bits", ".weight", ".weight_scale", block)


def _mxfp4(told: Mapping[str, Any], path: Path) -> Encoding:
    return Encoding("MXFP4", "_blocks", "_scales", (1, MXFP4_BLOCK))


_KNOWN: dict[str, Callable[[Mapping[str, Any], Path], Encoding | None]] = {
    "fp8": _fp8,
    "modelopt": _modelopt,
    "compressed-tensors": _compressed,
    "mxfp4": _mxfp4,
}


def _block(told: Mapping[str, Any], key: str, path: Path) -> tuple[int, int] | None:
    value = told.get(key)
    if value is None:
        return None
    if isinstance(value, str):  # "128x128", as older compressed-tensors write it
        value = [int(part) for part in value.split("x") if part.isascii() and part.isdecimal()]
    good = isinstance(value, list) and len(value) == 2
    if not good or not all(type(size) is int and 0 < size <= 1 << 16 for size in value):
        raise ConfigError(
            f"quantization_config.{key} is no block of weights",
            path=path,
            found=str(told.get(key))[:80],
            expected="rows and columns, such as [128, 128]",
        )
    return value[0], value[1]


def _unsupported(checkpoint: Checkpoint, key: str, told: Any) -> UnsupportedError:
    method = str(told.get("quant_method", "") if isinstance(told, dict) else told)[:40]
    form = told.get("format") or told.get("quant_algo") if isinstance(told, dict) else None
    if isinstance(told, dict) and _for_marlin(told):
        form = "packed for Marlin"
    bits = told.get("bits") if isinstance(told, dict) else None
    if key == "quantization":  # MLX writes both keys, with a method in neither
        method = "MLX"
    about = f", {form}"[:42] if method and isinstance(form, str) else ""
    about += f", {bits} bits" if isinstance(bits, int) else ""
    return UnsupportedError(
        "these weights are quantized already",
        path=checkpoint.folder / "config.json",
        found=f"{method or key}{about}",
        expected="BF16, F16, F32, FP8 with scales, GPTQ of 2, 4 or 8 bits, AWQ (gemm), "
        "compressed-tensors",
        hint=original_of(checkpoint),
    )


def _for_marlin(told: Mapping[str, Any]) -> bool:
    said = told.get("checkpoint_format"), told.get("format")
    return bool(told.get("is_marlin_format")) or "marlin" in said


def original_of(checkpoint: Checkpoint) -> str:
    """Where the weights are that this was made from, if its card says so: what to do."""
    base = checkpoint.card.get("base_model")
    base = base[0] if isinstance(base, list) and base else base
    if isinstance(base, str) and _HUB_ID.fullmatch(base):
        return f"qwq-gguf quantize {base}, the original that its card names"
    return "take the original weights, which lose nothing twice"


def separate_scales(
    tensors: Mapping[str, TensorInfo], encoding: Encoding
) -> tuple[dict[str, TensorInfo], dict[str, Scales]]:
    """The tensors without the scales, in their order, and the scales by their tensor's name.

    TensorError for scales that do not fit their tensor, UnsupportedError for a kind of
    number that no scale is for.
    """
    kept = {name: info for name, info in tensors.items() if not name.endswith(_NOT_OF_WEIGHTS)}
    scales: dict[str, Scales] = {}
    for name in list(kept):
        if not name.endswith(encoding.ending):
            continue
        weight = name.removesuffix(encoding.ending) + encoding.weight
        if weight not in kept:
            continue  # the mapping will say that nothing is called so
        scales[weight] = _scales(kept[weight], kept.pop(name), encoding.block)
    return kept, scales


def _scales(weight: TensorInfo, info: TensorInfo, block: tuple[int, int] | None) -> Scales:
    if weight.dtype == "U8" and block == (1, MXFP4_BLOCK):
        expected = weight.shape[:-1]
        if info.dtype != "U8" or info.shape != expected or weight.shape[-1:] != (16,):
            raise _misfit(weight, info, expected)
        return Scales(info, *block)
    if weight.dtype not in BYTE_NUMBERS or len(weight.shape) != 2:
        raise UnsupportedError(
            f"{weight.name} has scales that are for numbers of one byte",
            path=weight.shard,
            found=f"{weight.dtype} {list(weight.shape)}",
            expected=f"matrices of {', '.join(BYTE_NUMBERS)}",
            hint="take the original weights",
        )
    if info.dtype not in _FACTORS:
        raise UnsupportedError(
            f"{info.name}: scales of this data type cannot be read",
            path=info.shard,
            found=info.dtype,
            expected=", ".join(_FACTORS),
        )
    rows, columns = weight.shape
    if info.shape in ((), (1,), (1, 1)):
        return Scales(info, max(rows, 1), max(columns, 1))
    if info.shape in ((rows,), (rows, 1)):
        return Scales(info, 1, max(columns, 1))
    if block is None:
        raise _misfit(weight, info, (rows, 1))
    expected = (-(-rows // block[0]), -(-columns // block[1]))
    if info.shape != expected:
        raise _misfit(weight, info, expected)
    return Scales(info, *block)


def _misfit(weight: TensorInfo, info: TensorInfo, expected: tuple[int, ...]) -> TensorError:
    return TensorError(
        f"{info.name} does not fit {weight.name}",
        path=info.shard,
        found=f"{info.dtype} {list(info.shape)} for {list(weight.shape)}",
        expected=list(expected),
        hint="check that config.json belongs to these weights",
    )
