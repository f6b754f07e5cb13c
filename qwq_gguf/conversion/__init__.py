"""What a checkpoint means in GGUF: names, keys and vocabulary, worked out from headers."""

from __future__ import annotations

from qwq_gguf.conversion.conversion import convert
from qwq_gguf.conversion.overrides import parse_override
from qwq_gguf.conversion.values import (
    ComputedTensor,
    Conversion,
    ModelFacts,
    Piece,
    RowOrder,
    SourceTensor,
)

__all__ = [
    "ComputedTensor",
    "Conversion",
    "ModelFacts",
    "Piece",
    "RowOrder",
    "SourceTensor",
    "convert",
    "parse_override",
]
