"""What a checkpoint means in GGUF: names, keys and vocabulary, worked out from headers."""

from __future__ import annotations

from qwq_gguf.convert.conversion import convert
from qwq_gguf.convert.overrides import parse_override
from qwq_gguf.convert.values import (
    ComputedTensor,
    Conversion,
    ModelFacts,
    RowOrder,
    SourceTensor,
)

__all__ = [
    "ComputedTensor",
    "Conversion",
    "ModelFacts",
    "RowOrder",
    "SourceTensor",
    "convert",
    "parse_override",
]
