"""Qwen2: QwQ-32B, QwQ-32B-Preview, Qwen2.5, DeepSeek-R1-Distill-Qwen.

Biases on queries, keys and values and nowhere else; `use_sliding_window` is false in all of
these, so `sliding_window` is ignored.
"""

from __future__ import annotations

from qwq_gguf.conversion.architectures.base import (
    ATTENTION,
    MLP,
    NORMS,
    QKV_BIAS,
    Architecture,
    TensorRule,
    every_layer,
)
from qwq_gguf.conversion.config import ModelConfig

__all__ = ["QWEN2"]


def _block(config: ModelConfig) -> tuple[TensorRule, ...]:
    return (*NORMS, *ATTENTION, *QKV_BIAS, *MLP)


QWEN2 = Architecture(
    model_class="Qwen2ForCausalLM",
    name="qwen2",
    block=every_layer(_block),
    context=32768,
    writes_head_size=False,
)
