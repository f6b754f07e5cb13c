"""What differs from one architecture to the next: one file each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qwq_gguf.conversion.architectures.base import Architecture
from qwq_gguf.conversion.architectures.deepseek2 import DEEPSEEK2, GLM_FLASH
from qwq_gguf.conversion.architectures.exaone4 import EXAONE4
from qwq_gguf.conversion.architectures.gemma4 import GEMMA4
from qwq_gguf.conversion.architectures.glm4moe import GLM4MOE
from qwq_gguf.conversion.architectures.gpt_oss import GPT_OSS
from qwq_gguf.conversion.architectures.llama import LLAMA
from qwq_gguf.conversion.architectures.mistral3 import MISTRAL3
from qwq_gguf.conversion.architectures.nemotron_h import NEMOTRON_H, NEMOTRON_H_MOE
from qwq_gguf.conversion.architectures.olmo2 import OLMO2, OLMO3
from qwq_gguf.conversion.architectures.phi3 import PHI3
from qwq_gguf.conversion.architectures.qwen2 import QWEN2
from qwq_gguf.conversion.architectures.qwen3 import QWEN3
from qwq_gguf.conversion.architectures.qwen3moe import QWEN3MOE
from qwq_gguf.conversion.architectures.qwen35 import QWEN3NEXT, QWEN35, QWEN35MOE
from qwq_gguf.conversion.architectures.seed_oss import SEED_OSS
from qwq_gguf.conversion.architectures.smollm3 import SMOLLM3
from qwq_gguf.errors import ConfigError, UnsupportedError

__all__ = ["ARCHITECTURES", "Architecture", "find_architecture"]

ARCHITECTURES = (
    QWEN2,
    QWEN3,
    QWEN3MOE,
    LLAMA,
    DEEPSEEK2,
    GLM_FLASH,
    GPT_OSS,
    QWEN35,
    QWEN35MOE,
    QWEN3NEXT,
    GLM4MOE,
    SEED_OSS,
    SMOLLM3,
    PHI3,
    MISTRAL3,
    OLMO2,
    OLMO3,
    EXAONE4,
    GEMMA4,
    NEMOTRON_H,
    NEMOTRON_H_MOE,
)


def find_architecture(config: Mapping[str, Any], path: Path) -> Architecture:
    """The architecture that a config.json names; UnsupportedError lists the known ones."""
    names = config.get("architectures")
    if not isinstance(names, list) or not names or not isinstance(names[0], str):
        raise ConfigError(
            "architectures does not name one", path=path, found=names, expected=_known()
        )
    for architecture in ARCHITECTURES:
        known = names[0] in (architecture.model_class, *architecture.also)
        if known and architecture.means(config):
            return architecture
    raise UnsupportedError(
        "this architecture is not supported",
        path=path,
        found=names[0][:80],
        expected=_known(),
        hint="llama.cpp's convert_hf_to_gguf.py knows more of them",
    )


def _known() -> str:
    return ", ".join(dict.fromkeys(known.model_class for known in ARCHITECTURES))
