"""How a checkpoint says that its weights are whole numbers of few bits, packed in words: GPTQ,
AWQ, and the packed form of compressed-tensors. What they are called, and what shapes they
have; `conversion/parts.py` says how they lie.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.conversion.parts import Layout, Packed
from qwq_gguf.errors import ConfigError, TensorError, UnsupportedError

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.values import TensorInfo

__all__ = ["PackedEncoding", "packed_encoding", "separate_packed"]

_BITS = (2, 4, 8)
_FACTORS = ("F32", "F16", "BF16")


@dataclass(frozen=True, slots=True)
class PackedEncoding:
    """`method` names it for people. A weight's tensors bear the name of its module, with
    `words`, `scales`, `zeros` and `groups` behind it; the `others` say nothing that is needed.
    The shapes of GPTQ tell of each the `bits`, unless it has no g_idx. `group` is None where
    all columns share a scale.
    """

    method: str
    layout: Layout
    bits: int | None
    group: int | None
    zero_offset: int
    words: str
    scales: str
    zeros: str
    groups: str
    needs_zeros: bool
    others: tuple[str, ...] = ()


def packed_encoding(told: Mapping[str, Any], path: Path) -> PackedEncoding | None:
    """What a quantization_config in the config.json at `path` says of such weights, None where
    it is of another kind. ConfigError for sizes that make no sense.
    """
    known = _KNOWN.get(str(told.get("quant_method")))
    return None if known is None else known(told, path)


def _gptq(told: Mapping[str, Any], path: Path) -> PackedEncoding | None:
    form = told.get("checkpoint_format") or told.get("format") or "gptq"
    if form not in ("gptq", "gptq_v2") or told.get("is_marlin_format"):
        return None
    if told.get("pack_dtype") not in (None, "int32", "torch.int32"):
        return None
    bits = told.get("bits")
    if type(bits) is int and bits not in _BITS:  # 3 of them lie across words
        return None
    return PackedEncoding(
        method=f"GPTQ, {bits} bits",
        layout="columns",
        bits=bits if bits in _BITS and not isinstance(bits, bool) else None,
        group=_group(told.get("group_size"), path),
        zero_offset=1 if form == "gptq" else 0,  # the first version stored zeros less one
        words=".qweight",
        scales=".scales",
        zeros=".qzeros",
        groups=".g_idx",
        needs_zeros=True,
    )


def _awq(told: Mapping[str, Any], path: Path) -> PackedEncoding | None:
    if str(told.get("version", "gemm")).lower() != "gemm" or told.get("bits") != 4:
        return None
    return PackedEncoding(
        method="AWQ, 4 bits",
        layout="awq",
        bits=4,
        group=_group(told.get("group_size"), path),
        zero_offset=0,
        words=".qweight",
        scales=".scales",
        zeros=".qzeros",
        groups=".g_idx",
        needs_zeros=True,
    )


def _compressed(told: Mapping[str, Any], path: Path) -> PackedEncoding | None:
    groups = told.get("config_groups")
    if told.get("format") != "pack-quantized" or not isinstance(groups, Mapping) or not groups:
        return None
    several = [each.get("weights") for each in groups.values() if isinstance(each, Mapping)]
    weights = several[0] if several else None
    if not isinstance(weights, Mapping) or any(other != weights for other in several):
        return None
    bits = weights.get("num_bits")
    if weights.get("type", "int") != "int" or bits not in _BITS or isinstance(bits, bool):
        return None
    if weights.get("strategy") not in ("group", "channel"):
        return None
    channel = weights.get("strategy") == "channel"
    return PackedEncoding(
        method=f"compressed-tensors, {bits} bits",
        layout="rows",
        bits=bits,
        group=None if channel else _group(weights.get("group_size"), path),
        zero_offset=0,
        words=".weight_packed",
        scales=".weight_scale",
        zeros=".weight_zero_point",
        groups=".weight_g_idx",
        needs_zeros=weights.get("symmetric") is False,
        others=(".weight_shape",),
    )


_KNOWN: dict[str, Callable[[Mapping[str, Any], Path], PackedEncoding | None]] = {
    "gptq": _gptq,
    "awq": _awq,
    "compressed-tensors": _compressed,
}


def _group(value: object, path: Path) -> int | None:
    if value is None or value == -1:
        return None
    if type(value) is int and 0 < value <= 1 << 20:
        return value
    raise ConfigError(
        "quantization_config.group_size is no number of weights",
        path=path,
        found=str(value)[:80],
        expected="a whole number, or -1 for a whole row",
    )


def separate_packed(
    tensors: Mapping[str, TensorInfo], encoding: PackedEncoding
) -> tuple[dict[str, TensorInfo], dict[str, Packed]]:
    """The tensors with one `weight` in place of those that it is made of, and how it is made,
    by its name. Its shape is that of the weight; its bytes are the words. They come last, as
    llama.cpp's converter has it.

    TensorError where one of them is missing or does not fit the others; UnsupportedError for
    numbers of a width that no word of 32 bits is filled with.
    """
    kept = dict(tensors)
    found: dict[str, Packed] = {}
    for name in tensors:
        if not name.endswith(encoding.words):
            continue
        module = name.removesuffix(encoding.words)
        words = kept.pop(name)
        scales = kept.pop(module + encoding.scales, None)
        zeros = kept.pop(module + encoding.zeros, None)
        groups = kept.pop(module + encoding.groups, None)
        for other in encoding.others:
            kept.pop(module + other, None)
        if scales is None or (zeros is None and encoding.needs_zeros):
            raise TensorError(
                f"{name} has no {'scales' if scales is None else 'zeros'}",
                path=words.shard,
                expected=module + (encoding.scales if scales is None else encoding.zeros),
                hint="check that config.json belongs to these weights",
            )
        shape, packed = _fitted(encoding, words, scales, zeros, groups)
        weight = f"{module}.weight"
        if weight in tensors:
            raise TensorError(
                f"{module} is there twice, packed and as it is",
                path=words.shard,
                found=f"{name}, {weight}",
                hint="take one that was saved whole",
            )
        kept[weight] = replace(words, name=weight, shape=shape)
        found[weight] = packed
    return kept, found


def _fitted(
    encoding: PackedEncoding,
    words: TensorInfo,
    scales: TensorInfo,
    zeros: TensorInfo | None,
    groups: TensorInfo | None,
) -> tuple[tuple[int, int], Packed]:
    """The shape of the weight, and how it lies."""
    others = [info for info in (zeros, groups) if info is not None]
    if words.dtype != "I32" or len(words.shape) != 2 or len(scales.shape) != 2 or 0 in words.shape:
        raise _misfit(words, scales, "matrices, the words I32")
    if scales.dtype not in _FACTORS or any(info.dtype not in ("I32", "I64") for info in others):
        raise _misfit(words, scales, f"scales of {', '.join(_FACTORS)}, and I32 beside them")
    bits, rows, columns = _sizes(encoding, words, groups)
    a_word = 32 // bits
    count = -(-columns // (encoding.group or columns))
    if groups is not None and encoding.layout == "columns":  # only they tell
        count = scales.shape[0]
    across = (rows, count) if encoding.layout == "rows" else (count, rows)
    down = (-(-rows // a_word), count) if encoding.layout == "rows" else (count, rows // a_word)
    if scales.shape != across or (groups is not None and groups.shape != (columns,)):
        raise _misfit(words, scales, f"scales {list(across)}")
    if zeros is not None and (zeros.shape != down or zeros.dtype != "I32"):
        raise _misfit(words, zeros, f"zeros {list(down)}")
    group = encoding.group or columns
    return (rows, columns), Packed(
        encoding.layout, bits, group, scales, zeros, groups, encoding.zero_offset
    )


def _sizes(
    encoding: PackedEncoding, words: TensorInfo, groups: TensorInfo | None
) -> tuple[int, int, int]:
    """Bits, rows and columns."""
    high, wide = words.shape
    if encoding.layout == "awq":
        return 4, wide * 8, high
    if encoding.layout == "rows":
        bits = encoding.bits or 0
        return bits, high, wide * 32 // bits
    if groups is not None:
        columns = groups.shape[0] if len(groups.shape) == 1 else 0
    else:
        columns = high * 32 // encoding.bits if encoding.bits else 0
    bits, rest = divmod(high * 32, columns) if columns else (0, 0)
    if rest or bits not in _BITS:
        raise UnsupportedError(
            f"{words.name} has numbers of a width that cannot be read",
            path=words.shard,
            found=f"{bits} bits" if columns else "no g_idx that tells",
            expected="2, 4 or 8 bits",
            hint="take the original weights, which lose nothing twice",
        )
    return bits, wide, columns


def _misfit(words: TensorInfo, other: TensorInfo, expected: str) -> TensorError:
    return TensorError(
        f"{other.name} does not fit {words.name}",
        path=other.shard,
        found=f"{other.dtype} {list(other.shape)} for {words.dtype} {list(words.shape)}",
        expected=expected,
        hint="check that config.json belongs to these weights",
    )
