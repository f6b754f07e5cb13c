"""How far the same logits may be from each other, computed in another company."""

from __future__ import annotations

from qwq_gguf.engine.model import Model

__all__ = ["rounding"]


def rounding(model: Model, on_processor: float) -> float:
    """Between tokens of a batch and one alone: a card has other kernels for each size of batch,
    and computes in half precision (0.009 was seen there).
    """
    return 5e-2 if model.gpu_layers else on_processor
