"""How much the error of one tensor counts beside that of another. Pure.

A tensor's error is relative: the squared difference between its weights and those that come back
out of the blocks, each column times its importance, divided by the same sum over the weights
themselves. With importance that is the share of the energy of the matrix's outputs that is noise.
For small errors the loss of the whole model grows by the sum of these shares, each times a factor
of its matrix's own (the linearity theorem of arXiv 2411.17525). The model here is that sum with
one factor for each kind of matrix.
"""

from __future__ import annotations

from qwq_gguf.quantization.planning.tensor_kinds import kind_of

__all__ = ["FACTORS", "factor_of"]

FACTORS = {
    "output": 100.0,
    "token_embd": 18.0,
    "attn_v": 2.0,
    "attn_output": 2.0,
    "ffn_down": 2.0,
}
"""By kind (recipe.KINDS); of others it is 1. From the demo with one kind after the other in Q3_K
and all else in BF16: KL divergence over error, that of ffn_up being 1 (`scripts/measure_recipes
factors`; the figures are in docs/quantize.md).
"""


def factor_of(name: str, *, tied: bool) -> float:
    """The factor of a tensor by its GGUF name. `tied`: the embedding is the output as well."""
    kind = kind_of(name)
    return FACTORS.get("output" if tied and kind == "token_embd" else kind, 1.0)
