"""How much the error of one tensor counts beside that of another. Pure.

A tensor's error is relative: the squared difference between its weights and those that come back
out of the blocks, each column times its importance, divided by the same sum over the weights
themselves. With importance that is the share of the energy of the matrix's outputs that is noise.
For small errors the loss of the whole model grows by the sum of these shares, each times a factor
of its matrix's own (the linearity theorem of arXiv 2411.17525). The model here is that sum with
one factor for each kind of matrix.
"""

from __future__ import annotations

from qwq_gguf.quantization.planning.kinds import kind_of

__all__ = ["FACTORS", "factor_of"]

FACTORS: dict[str, float] = {}
"""By kind (recipe.KINDS); of others it is 1."""


def factor_of(name: str) -> float:
    """The factor of a tensor by its GGUF name."""
    return FACTORS.get(kind_of(name), 1.0)
