"""A model of a few hundred kilobytes that makes the library use its matrix kernels.

Each matrix has another type, so that one token of a batch and one alone visit the kernels that real
files need.
"""

from __future__ import annotations

from qwq_gguf.engine.loading.zero_model import ZeroModel
from qwq_gguf.ggml_types import GgmlType

__all__ = ["PROBE_MODEL"]

# Rows of whole super-blocks, and enough of them that no kernel declines for size.
_WIDTH = 256
_HEADS = 4

PROBE_MODEL = ZeroModel(
    width=_WIDTH,
    feed_forward=_WIDTH,
    heads=_HEADS,
    kv_heads=_HEADS,
    kinds={
        "token_embd": GgmlType.Q4_K,
        "output": GgmlType.Q6_K,
        "attn_q": GgmlType.Q4_K,
        "attn_k": GgmlType.Q5_K,
        "attn_v": GgmlType.Q6_K,
        "attn_output": GgmlType.Q8_0,
        "ffn_gate": GgmlType.Q4_0,
        "ffn_up": GgmlType.IQ4_XS,
        "ffn_down": GgmlType.Q4_1,
    },
)
