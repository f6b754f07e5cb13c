"""Linear attention of Qwen3.5 and Qwen3-Next: gated delta nets (arXiv 2412.06464)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from qwq_gguf.conversion.architectures.base import TensorRule
from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.conversion.parts import View

__all__ = ["LinearHeads", "grouped_linear", "turned_linear"]

_WIDE = "embedding"
_MOST_VALUES = 2**16  # eight times those of the largest
_NORM = TensorRule("linear_attn.norm.weight", "ssm_norm.weight", ("value_head",))


@dataclass(frozen=True, slots=True)
class LinearHeads:
    """The heads of linear attention, and their lengths."""

    keys: int
    values: int
    key: int
    value: int
    kernel: int

    @classmethod
    def of(cls, config: ModelConfig) -> LinearHeads:
        fields = config.fields
        found = cls(
            fields.integer("linear_num_key_heads", 2**12, default=16),
            fields.integer("linear_num_value_heads", 2**12, default=32),
            fields.integer("linear_key_head_dim", 2**12, default=128),
            fields.integer("linear_value_head_dim", 2**12, default=128),
            fields.integer("linear_conv_kernel_dim", 2**8, default=4),
        )
        if found.values * found.value > _MOST_VALUES:
            message = f"heads of {found.value} are absurdly many"
            raise fields.error("linear_num_value_heads", message)
        if found.values % found.keys:
            raise fields.error(
                "linear_num_value_heads", f"is no multiple of {found.keys} key heads"
            )
        return found

    @property
    def order(self) -> tuple[int, ...]:
        """Which value head of the checkpoint each of the GGUF's is."""
        each = self.values // self.keys
        return tuple(group * each + turn for turn in range(each) for group in range(self.keys))

    def runs(self, first: int, length: int) -> tuple[range, ...]:
        """The rows of all value heads, `length` each, from row `first` on."""
        if self.keys == self.values:
            return (range(first, first + self.values * length),)
        starts = (first + head * length for head in self.order)
        return tuple(range(start, start + length) for start in starts)


def _vectors(heads: LinearHeads, order: tuple[int, ...]) -> tuple[TensorRule, ...]:
    view = View((heads.values,), (range(1),), columns=order)
    size = ("value_heads",)
    return (
        TensorRule("linear_attn.A_log", "ssm_a", size, view=view, change="minus exp"),
        TensorRule("linear_attn.dt_bias", "ssm_dt.bias", size, view=view),
        _NORM,
    )


@lru_cache(maxsize=4)  # alike in all layers
def turned_linear(heads: LinearHeads, wide: int) -> tuple[TensorRule, ...]:
    """Of Qwen3.5: one value head of each key head, then the next of each."""
    before = range(2 * heads.keys * heads.key)
    mixed = (before, *heads.runs(before.stop, heads.value))
    channels, values = before.stop + heads.values * heads.value, heads.values * heads.value
    columns = tuple(row for run in heads.runs(0, heads.value) for row in run)
    ones = View((heads.values, wide), heads.runs(0, 1))

    def rule(there: str, here: str, shape: tuple[str, ...], view: View) -> TensorRule:
        return TensorRule(f"linear_attn.{there}.weight", f"{here}.weight", shape, view=view)

    return (
        rule("in_proj_qkv", "attn_qkv", ("channels", _WIDE), View((channels, wide), mixed)),
        rule(
            "in_proj_z",
            "attn_gate",
            ("values", _WIDE),
            View((values, wide), heads.runs(0, heads.value)),
        ),
        rule("in_proj_a", "ssm_alpha", ("value_heads", _WIDE), ones),
        rule("in_proj_b", "ssm_beta", ("value_heads", _WIDE), ones),
        rule(
            "conv1d",
            "ssm_conv1d",
            ("channels", "one", "kernel"),
            View((channels, heads.kernel), mixed),
        ),
        rule(
            "out_proj",
            "ssm_out",
            (_WIDE, "values"),
            View((wide, values), (range(wide),), columns=columns),
        ),
        *_vectors(heads, heads.order),
    )


@lru_cache(maxsize=4)
def grouped_linear(heads: LinearHeads, wide: int) -> tuple[TensorRule, ...]:
    """Of Qwen3-Next: for each key head its query, key, values and gates."""
    of_values = heads.values // heads.keys * heads.value
    group = 2 * heads.key + 2 * of_values
    starts = range(0, heads.keys * group, group)

    def runs(first: int, length: int) -> tuple[range, ...]:
        return tuple(range(start + first, start + first + length) for start in starts)

    mixed = (
        *runs(0, heads.key),
        *runs(heads.key, heads.key),
        *runs(2 * heads.key, of_values),
    )
    gates = runs(2 * heads.key + of_values, of_values)
    values = heads.values * heads.value
    channels = 2 * heads.keys * heads.key + values
    whole = TensorRule("linear_attn.in_proj_qkvz.weight", "", ("all", _WIDE))
    kernel = View((channels, heads.kernel), (range(channels),))
    return (
        replace(whole, target="attn_qkv.weight", view=View((channels, wide), mixed)),
        replace(whole, target="attn_gate.weight", view=View((values, wide), gates)),
        TensorRule("linear_attn.in_proj_ba.weight", "ssm_ba.weight", ("scalars", _WIDE)),
        TensorRule(
            "linear_attn.conv1d.weight",
            "ssm_conv1d.weight",
            ("channels", "one", "kernel"),
            view=kernel,
        ),
        TensorRule("linear_attn.out_proj.weight", "ssm_out.weight", (_WIDE, "values")),
        *_vectors(heads, tuple(range(heads.values))),
    )
