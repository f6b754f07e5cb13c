"""SmolLM3: Llama, with no positions in every fourth layer, as llama.cpp has it built in."""

from __future__ import annotations

from dataclasses import replace

from qwq_gguf.conversion.architectures.llama import LLAMA, llama_keys
from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.errors import UnsupportedError
from qwq_gguf.metadata import KeyValue

__all__ = ["SMOLLM3"]

_EVERY = 4


def _extra_keys(config: ModelConfig) -> tuple[KeyValue, ...]:
    fields = config.fields
    usual = [int((layer + 1) % _EVERY != 0) for layer in range(config.layers)]
    every = fields.integer("no_rope_layer_interval", 2**12, default=_EVERY)
    rotated = fields.values.get("no_rope_layers")
    if fields.flag("use_sliding_window") or (
        every != _EVERY if rotated is None else rotated != usual
    ):
        raise UnsupportedError(
            "layers that llama.cpp's smollm3 has not",
            path=fields.path,
            found=f"no_rope_layer_interval = {every}, no_rope_layers = {rotated}"[:80],
            expected="no positions in every fourth layer, and no windows",
        )
    return llama_keys("smollm3", config)


SMOLLM3 = replace(
    LLAMA,
    model_class="SmolLM3ForCausalLM",
    name="smollm3",
    context=32768,
    tied=True,
    writes_head_size=False,
    extra_keys=_extra_keys,
)
