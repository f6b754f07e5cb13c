"""How the next token is chosen: an ordered chain of stages, and what each one does."""

from qwq_gguf.sampling.chain import ChainRow, SamplerChain
from qwq_gguf.sampling.stages import (
    Dist,
    Dry,
    Grammar,
    Greedy,
    LogitBias,
    MinP,
    Penalties,
    Stage,
    Temperature,
    TopK,
    TopNSigma,
    TopP,
    TypicalP,
    Xtc,
)

__all__ = [
    "ChainRow",
    "Dist",
    "Dry",
    "Grammar",
    "Greedy",
    "LogitBias",
    "MinP",
    "Penalties",
    "SamplerChain",
    "Stage",
    "Temperature",
    "TopK",
    "TopNSigma",
    "TopP",
    "TypicalP",
    "Xtc",
]
