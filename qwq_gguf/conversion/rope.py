"""Rotary positions: the base, and how a model was stretched to a longer context."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qwq_gguf.errors import UnsupportedError
from qwq_gguf.metadata import KeyValue, ValueType, array, f32, text, u32

if TYPE_CHECKING:
    from qwq_gguf.conversion.fields import Fields

__all__ = ["Rope", "llama3_factors", "read_rope", "rope_keys", "rotary_part"]

_KINDS = ("default", "linear", "yarn", "llama3")


@dataclass(frozen=True, slots=True)
class Rope:
    """`kind` is one of default, linear, yarn, llama3, or one that an architecture has for
    itself; the fields after `factor` belong to the last two and are None where the checkpoint
    does not say. `mscale_all` is DeepSeek's; `sections` share a head's rotations among time,
    height and width, and a fourth. `sliding_base` is the base in layers that see a window.
    """

    base: float
    kind: str = "default"
    factor: float | None = None
    original_context: int | None = None
    extrapolation: float | None = None
    attention: float | None = None
    beta_fast: float | None = None
    beta_slow: float | None = None
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    mscale_all: float | None = None
    sections: tuple[int, ...] | None = None
    sliding_base: float | None = None


def read_rope(fields: Fields, positions: int, also: Sequence[str] = ()) -> Rope:
    """From `rope_parameters` (transformers 5) or `rope_theta` and `rope_scaling` (before).

    UnsupportedError for a kind of scaling that is not one of the four, or one of `also`.
    """
    scaling = fields.object("rope_parameters") or fields.object("rope_scaling")
    sliding = scaling and scaling.object("sliding_attention")
    rope = _read_kind(
        (scaling and scaling.object("full_attention")) or scaling, fields, positions, also
    )
    if sliding and sliding.values.get("rope_theta") is not None:
        return replace(rope, sliding_base=sliding.number("rope_theta", 1.0, 1e15))
    return rope


def rotary_part(fields: Fields, default: float) -> float:
    """What part of a head is rotated."""
    scaling = fields.object("rope_parameters") or fields.object("rope_scaling") or fields
    holder = scaling if scaling.values.get("partial_rotary_factor") is not None else fields
    return holder.number("partial_rotary_factor", 0.0, 1.0, default=default)


def _read_kind(scaling: Fields | None, fields: Fields, positions: int, also: Sequence[str]) -> Rope:
    holder = scaling if scaling and scaling.values.get("rope_theta") is not None else fields
    base = holder.number("rope_theta", 1.0, 1e15, default=10_000.0)
    if scaling is None:
        return Rope(base)
    kind = scaling.values.get("rope_type") or scaling.values.get("type") or "default"
    if kind in also:
        return Rope(base, str(kind))
    if kind not in _KINDS:
        raise UnsupportedError(
            "this kind of rope scaling is not supported",
            path=fields.path,
            found=str(kind)[:40],
            expected=", ".join(_KINDS),
        )
    sections = _sections(scaling)
    if kind == "default":
        return Rope(base, sections=sections)
    factor = scaling.number("factor", 1.0, 1e6, default=8.0 if kind == "llama3" else None)
    if kind == "linear":
        return Rope(base, kind, factor, sections=sections)

    def optional(key: str) -> float | None:
        present = scaling.values.get(key) is not None
        return scaling.number(key, 0.0, 1e6) if present else None

    if kind == "yarn":
        # Without an original length transformers takes the present one.
        original = scaling.integer("original_max_position_embeddings", 2**31 - 1, default=positions)
        attention = optional("attention_factor")
        return Rope(
            base,
            kind,
            factor,
            original,
            extrapolation=optional("extrapolation_factor"),
            attention=optional("attn_factor") if attention is None else attention,
            beta_fast=optional("beta_fast"),
            beta_slow=optional("beta_slow"),
            mscale_all=optional("mscale_all_dim"),
            sections=sections,
        )
    low = scaling.number("low_freq_factor", 1e-6, 1e6, default=1.0)
    high = scaling.number("high_freq_factor", 1e-6, 1e6, default=4.0)
    if high <= low:
        raise scaling.error("high_freq_factor", f"is not above low_freq_factor, which is {low:g}")
    original = scaling.integer("original_max_position_embeddings", 2**31 - 1, default=8192)
    return Rope(base, kind, factor, original, low_freq_factor=low, high_freq_factor=high)


def _sections(scaling: Fields) -> tuple[int, ...] | None:
    value = scaling.values.get("mrope_section")
    if value is None:
        return None
    good = isinstance(value, list) and 1 <= len(value) <= 4
    if not good or not all(type(part) is int and 0 <= part < 2**14 for part in value):
        raise scaling.error("mrope_section", "is absurd", "up to four numbers")
    return (*value, 0, 0, 0)[:4]


def rope_keys(architecture: str, rope: Rope) -> list[KeyValue]:
    """The `<architecture>.rope.*` entries in the converter's order.

    No `attn_factor` is added: ggml itself scales attention by 1 + 0.1 ln(factor).
    """
    prefix = f"{architecture}.rope"
    keys: list[KeyValue] = []
    if rope.kind in ("linear", "yarn") and rope.factor is not None:
        keys += [
            text(f"{prefix}.scaling.type", rope.kind),
            f32(f"{prefix}.scaling.factor", rope.factor),
        ]
    if rope.kind == "yarn" and rope.original_context is not None:
        keys.append(u32(f"{prefix}.scaling.original_context_length", rope.original_context))
        for name, value in (
            ("yarn_ext_factor", rope.extrapolation),
            ("yarn_attn_factor", rope.attention),
            ("yarn_beta_fast", rope.beta_fast),
            ("yarn_beta_slow", rope.beta_slow),
        ):
            if value is not None:
                keys.append(f32(f"{prefix}.scaling.{name}", value))
    if rope.sections is not None:
        keys.append(array(f"{prefix}.dimension_sections", ValueType.INT32, rope.sections))
    keys.append(f32(f"{prefix}.freq_base", rope.base))
    if rope.sliding_base is not None:
        keys.append(f32(f"{prefix}.freq_base_swa", rope.sliding_base))
    return keys


def llama3_factors(rope: Rope, head_dim: int) -> bytes:
    """What each of the head_dim / 2 rotation frequencies is divided by, as F32 bytes.

    Llama 3.1 leaves short wavelengths alone, divides long ones by `factor`, and goes
    smoothly from one to the other between original_context / high_freq_factor and
    original_context / low_freq_factor
    (https://github.com/meta-llama/llama-models, models/llama3/model.py).
    """
    import numpy as np  # for Llama alone, so loaded for it alone

    assert rope.factor is not None
    assert rope.original_context is not None
    exponents = np.arange(0, head_dim, 2, dtype=np.float32) / np.float32(head_dim)
    # Everything is float32, as in the converter, whose bytes these must equal. Its powers are
    # the nearest there are, numpy's own of float32 are not.
    powers = np.float64(rope.base) ** exponents.astype(np.float64)
    frequencies = np.float32(1.0) / powers.astype(np.float32)
    wavelengths = np.float32(2 * math.pi) / frequencies
    smooth = (
        np.float32(rope.original_context) / wavelengths - np.float32(rope.low_freq_factor)
    ) / np.float32(rope.high_freq_factor - rope.low_freq_factor)
    between = np.float32(1.0) / ((np.float32(1.0) - smooth) / np.float32(rope.factor) + smooth)
    factors = np.where(
        wavelengths < rope.original_context / rope.high_freq_factor,
        np.float32(1.0),
        np.where(
            wavelengths > rope.original_context / rope.low_freq_factor,
            np.float32(rope.factor),
            between,
        ),
    )
    return factors.astype("<f4").tobytes()
