"""What a llama_context is made with, as a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qwq_gguf.errors import ModelError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file.yarn import Yarn

__all__ = [
    "CACHE_TYPES",
    "DEFAULT_SETTINGS",
    "MOST_SEQUENCES",
    "ContextSettings",
    "Observer",
    "TensorCallback",
]

# Called for each node of a graph that is computed, with the address of its ggml_tensor: first
# with True, to ask whether it is wanted, then if so with False, when it holds its result.
TensorCallback = Callable[[int, bool], bool]

MOST_SEQUENCES = 256  # LLAMA_MAX_SEQ
# What llama.cpp has kernels for.
CACHE_TYPES = (
    GgmlType.F32,
    GgmlType.F16,
    GgmlType.BF16,
    GgmlType.Q8_0,
    GgmlType.Q5_1,
    GgmlType.Q5_0,
    GgmlType.Q4_1,
    GgmlType.Q4_0,
    GgmlType.IQ4_NL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSettings:
    """What a context is made with, besides the size and the threads of its model.

    `sequences` texts may be in the cache at once, and share its tokens, or with `apart` have
    equal parts of it. `keys` and `values` are the types that it keeps them in.
    `flash_attention` is None where llama.cpp decides. `yarn` stretches positions, in place of
    what the file says; None leaves that. `batch` tokens of a prompt are computed at once
    (default: by where the model is computed). `on_tensor` sees what is computed; what it raises
    ends the computation.

    ModelError for what llama.cpp would refuse, or abort over.
    """

    sequences: int = 1
    apart: bool = False
    keys: GgmlType = GgmlType.F16
    values: GgmlType = GgmlType.F16
    flash_attention: bool | None = None
    yarn: Yarn | None = None
    batch: int | None = None
    on_tensor: TensorCallback | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.sequences <= MOST_SEQUENCES:
            raise ModelError(
                "that many sequences cannot be in one context",
                found=self.sequences,
                expected=f"1 to {MOST_SEQUENCES}",
            )
        if self.batch is not None and self.batch < self.sequences:
            raise ModelError(
                "a batch has to have a token of each sequence",
                found=self.batch,
                expected=f"at least {self.sequences}",
            )
        for kind in (self.keys, self.values):
            if kind not in CACHE_TYPES:
                raise ModelError(
                    "a KV cache cannot be kept in this type",
                    found=kind.name,
                    expected=", ".join(each.name for each in CACHE_TYPES),
                )
        if self.values.quantized and self.flash_attention is False:
            raise ModelError(
                "values can be kept in this type with flash attention only",
                found=self.values.name,
                hint="leave flash_attention to llama.cpp, or keep the values in F16",
            )

    def batch_size(self, usual: int) -> int:
        """Tokens computed at once, where so many are `usual`."""
        return self.batch or max(usual, self.sequences)

    def apply(self, api: Any, params: Any) -> None:
        """Write them into a `llama_context_params`; the callback is an `Observer`'s."""
        params.n_seq_max = self.sequences
        # Else each sequence could use its share of the cache only.
        params.kv_unified = self.sequences > 1 and not self.apart
        params.type_k, params.type_v = int(self.keys), int(self.values)
        if self.flash_attention is not None:
            params.flash_attn_type = (
                api.LLAMA_FLASH_ATTN_TYPE_ENABLED
                if self.flash_attention
                else api.LLAMA_FLASH_ATTN_TYPE_DISABLED
            )
        if self.yarn is not None:
            params.rope_freq_scale = 1 / self.yarn.factor
            params.yarn_orig_ctx = self.yarn.original
            params.rope_scaling_type = (
                api.LLAMA_ROPE_SCALING_TYPE_YARN
                if self.yarn.factor > 1
                else api.LLAMA_ROPE_SCALING_TYPE_NONE
            )


DEFAULT_SETTINGS = ContextSettings()


class Observer:
    """A callback for C around one of ours, whose exceptions wait until C has returned.

    Keep it alive as long as the context that calls it.
    """

    def __init__(self, api: Any, on_tensor: TensorCallback) -> None:
        self._on_tensor = on_tensor
        self._failed: BaseException | None = None
        self.callback = api.ggml_backend_sched_eval_callback(self._call)

    def check(self) -> None:
        """Raise what was raised meanwhile."""
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed

    def _call(self, tensor: int, asked: bool, _data: int | None) -> bool:
        if self._failed is not None:
            return False
        try:
            return self._on_tensor(tensor, asked)
        except BaseException as error:
            self._failed = error
            return False
