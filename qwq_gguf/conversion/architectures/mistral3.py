"""Magistral and Mistral Small 3.1, and Ministral 3: Llama behind a vision tower.

Ministral 3 stretches positions, and the further back a token is, the sharper its attention.
"""

from __future__ import annotations

from dataclasses import replace

from qwq_gguf.conversion.architectures.llama import LLAMA, llama_keys
from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.errors import UnsupportedError
from qwq_gguf.metadata import KeyValue, f32

__all__ = ["MISTRAL3"]


def _extra_keys(config: ModelConfig) -> tuple[KeyValue, ...]:
    keys = llama_keys("mistral3", config)
    kind = config.fields.values.get("model_type")
    if kind not in ("mistral", "ministral3"):
        raise UnsupportedError(
            "this kind of text model is not supported",
            path=config.fields.path,
            found=str(kind)[:40],
            expected="mistral or ministral3",
        )
    if kind == "mistral":
        return keys
    rope = config.fields.object("rope_parameters")
    if rope is None or config.rope.kind != "yarn" or config.rope.mscale_all is None:
        raise config.fields.error("rope_parameters", "does not stretch as ministral3 does", "yarn")
    return (
        *keys,
        f32("mistral3.rope.scaling.yarn_log_multiplier", config.rope.mscale_all),
        f32("mistral3.attention.temperature_scale", rope.number("llama_4_scaling_beta", 0.0, 1e3)),
    )


def _left_out(config: ModelConfig, name: str) -> str | None:
    sees = name.startswith(("vision_tower.", "multi_modal_projector."))
    return "the vision tower" if sees else None


MISTRAL3 = replace(
    LLAMA,
    model_class="Mistral3ForConditionalGeneration",
    also=("Ministral3ForCausalLM",),
    name="mistral3",
    context=131072,
    extra_keys=_extra_keys,
    left_out=_left_out,
    splitting="tekken",
)
