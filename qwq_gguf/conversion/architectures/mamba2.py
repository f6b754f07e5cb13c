"""Layers of Mamba 2 (arXiv 2405.21060), as Nemotron-H has them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from qwq_gguf.conversion.architectures.base import TensorRule
from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.conversion.parts import View

__all__ = ["MambaHeads", "mamba_layer"]

_MOST_VALUES = 2**16  # four times those of the largest


@dataclass(frozen=True, slots=True)
class MambaHeads:
    """The heads of Mamba layers, and what they remember."""

    heads: int
    head: int
    groups: int
    state: int
    kernel: int

    @classmethod
    def of(cls, config: ModelConfig) -> MambaHeads:
        """As config.json has them; ConfigError for what is absurd."""
        fields = config.fields
        found = cls(
            fields.integer("mamba_num_heads", 2**14),
            fields.integer("mamba_head_dim", 2**12),
            fields.integer("n_groups", 2**10),
            fields.integer("ssm_state_size", 2**12),
            fields.integer("conv_kernel", 2**8, default=4),
        )
        if found.inner > _MOST_VALUES:
            raise fields.error("mamba_num_heads", f"heads of {found.head} are absurdly many")
        if found.inner % found.groups:
            raise fields.error("n_groups", f"does not divide {found.inner} values")
        return found

    @property
    def inner(self) -> int:
        """How wide a layer is inside."""
        return self.heads * self.head

    @property
    def channels(self) -> int:
        """How many channels are convolved."""
        return self.inner + 2 * self.groups * self.state


@lru_cache(maxsize=4)  # alike in all layers
def mamba_layer(heads: MambaHeads) -> tuple[TensorRule, ...]:
    """The tensors of one: vectors become columns, as llama.cpp has them, the norm a row a group."""
    each = heads.inner // heads.groups
    column = View((heads.heads, 1), (range(heads.heads),), width=1)
    grouped = View((heads.groups, each), (range(heads.groups),), width=each)
    kernels = View((heads.channels, heads.kernel), (range(heads.channels),))
    return (
        TensorRule("mixer.A_log", "ssm_a", ("heads",), view=column, change="minus exp"),
        TensorRule("mixer.D", "ssm_d", ("heads",), view=column),
        TensorRule("mixer.dt_bias", "ssm_dt.bias", ("heads",)),
        TensorRule("mixer.norm.weight", "ssm_norm.weight", ("inner",), view=grouped),
        TensorRule(
            "mixer.conv1d.weight", "ssm_conv1d.weight", ("channels", "one", "kernel"), view=kernels
        ),
        TensorRule("mixer.conv1d.bias", "ssm_conv1d.bias", ("channels",), needed=False),
        TensorRule("mixer.in_proj.weight", "ssm_in.weight", ("all", "embedding")),
        TensorRule("mixer.out_proj.weight", "ssm_out.weight", ("embedding", "inner")),
    )
