"""Stages of a chain that silently do nothing where they stand."""

from __future__ import annotations

from collections.abc import Sequence

from qwq_gguf.sampling.definition import Stage

__all__ = ["stage_notes"]


def stage_notes(stages: Sequence[Stage]) -> tuple[str, ...]:
    """A sentence for each stage that does nothing, or not what it seems to; the last picks."""
    found = []
    needless = _before_the_best_is_taken(stages)
    picked_by: str | None = None
    for place, stage in enumerate(stages[:-1]):
        if stage.off and stage.why_off:
            found.append(f"{stage.name} does nothing: {stage.why_off}")
        if stage.off:
            continue
        if picked_by is not None:
            found.append(f"{stage.name} does nothing: {picked_by} has left one token")
        elif place in needless:
            found.append(
                f"{stage.name} does nothing: {needless[place]} takes the best token anyway"
            )
        picked_by = picked_by or stage.leaves_one
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
        if taker is not None and stage.keeps_best and not stage.off:
            needless[place] = taker
        elif not (stage.keeps_best or stage.final or stage.off):
            taker = None
        taker = stage.leaves_one or taker
    return needless
