"""Which tokens a chain's first stages drop anyway, so that nobody need look at them. Pure.

A vocabulary has 150,000 tokens, of which most chains keep forty at their first cut. Copying,
scaling and searching all of them takes longer than everything after.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwq_gguf.sampling.stages import Greedy, MinP, Temperature, TopK, TopP

if TYPE_CHECKING:
    from qwq_gguf.sampling.chain import SamplerChain

__all__ = ["LEAST_VOCABULARY", "Shortlist", "shortlist"]

LEAST_VOCABULARY = 8192  # below, all are looked at as fast
_MOST_BEST = 512


@dataclass(frozen=True, slots=True)
class Shortlist:
    """The `best` of raw logits, all `within` so much of the best one, or those that have a `mass`
    of the whole at a temperature of `scale`; the others of the three are None.

    The chain makes of these tokens what it makes of all, if those just below may be among them.
    """

    best: int | None = None
    within: float | None = None
    mass: float | None = None
    scale: float = 1.0


def shortlist(chain: SamplerChain) -> Shortlist | None:
    """That of a chain; None where a stage has to see all tokens.

    Up to the cut only a temperature may come: it keeps their order, and the others' numbers matter
    to none.
    """
    scale = 1.0
    for stage in chain.stages:
        if stage.off:
            continue
        if isinstance(stage, Temperature) and stage.range == 0:
            if stage.t == 0:
                return Shortlist(best=1)
            scale *= stage.t
        elif isinstance(stage, TopK):
            return Shortlist(best=stage.k) if stage.k <= _MOST_BEST else None
        elif isinstance(stage, Greedy):
            return Shortlist(best=1)
        elif isinstance(stage, MinP) and 0 < stage.p < 1:
            return Shortlist(within=-scale * math.log(stage.p))
        elif isinstance(stage, TopP):
            return Shortlist(mass=stage.p, scale=scale)
        else:
            return None
    return None
