"""Stages of a chain that silently do nothing where they stand."""

from __future__ import annotations

from collections.abc import Sequence

from qwq_gguf.sampling.stages import (
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

__all__ = ["leaves_one", "stage_warnings"]

# Whatever they drop or scale, the best token stays and stays the best.
_KEEPING_BEST = (TopK, TopP, MinP, TopNSigma, Temperature)
# What another token may be best after.
_CHANGING_BEST = (Penalties, Dry, TypicalP, Xtc, LogitBias, Grammar)


def leaves_one(stage: Stage) -> str | None:
    """The stage as people name it, if it leaves the best token and no other."""
    if isinstance(stage, Greedy):
        return stage.name
    if isinstance(stage, TopK) and stage.k == 1:
        return "top_k 1"
    if isinstance(stage, Temperature) and stage.t == 0.0 and stage.range == 0.0:
        return "temperature 0"
    return None


def stage_warnings(stages: Sequence[Stage]) -> tuple[str, ...]:
    """A sentence for each stage that does nothing, or not what it seems to; the last picks."""
    found = []
    needless = _before_the_best_is_taken(stages)
    picked_by: str | None = None
    for place, stage in enumerate(stages[:-1]):
        if isinstance(stage, LogitBias) and stage.off:
            found.append("logit_bias does nothing: no token has a bias")
        elif isinstance(stage, Grammar) and stage.off:
            found.append("grammar does nothing: it is empty")
        if stage.off:
            continue
        if picked_by is not None:
            found.append(f"{stage.name} does nothing: {picked_by} has left one token")
        elif place in needless:
            found.append(
                f"{stage.name} does nothing: {needless[place]} takes the best token anyway"
            )
        picked_by = picked_by or leaves_one(stage)
    names = [stage.name for stage in stages if not stage.off]
    if {"top_n_sigma", "typ_p"} <= set(names) and names.index("top_n_sigma") < names.index("typ_p"):
        found.append("typ_p after top_n_sigma: llama.cpp computes NaN from the masked tokens")
    return tuple(found)


def _before_the_best_is_taken(stages: Sequence[Stage]) -> dict[int, str]:
    """The places of stages that keep the best token best, and what then takes it.

    A penalty in between makes them count: it chooses among what they have left, and by what
    a temperature has made of the distances.
    """
    needless: dict[int, str] = {}
    taker: str | None = None
    for place in reversed(range(len(stages))):
        stage = stages[place]
        if taker is not None and isinstance(stage, _KEEPING_BEST) and not stage.off:
            needless[place] = taker
        elif isinstance(stage, _CHANGING_BEST) and not stage.off:
            taker = None
        taker = leaves_one(stage) or taker
    return needless
