"""The replies of a samples file as a result: the figures that `eval thinking` would print."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from qwq_gguf.evaluation.asking.figures import by_skill, figures_of
from qwq_gguf.evaluation.asking.pairing import difference
from qwq_gguf.evaluation.asking.sample import Cell, Sample
from qwq_gguf.evaluation.report.groups import questions_of
from qwq_gguf.evaluation.report.reading import identity_of

__all__ = ["Firsts", "by_cell", "cells_value", "missing_replies"]

Firsts: TypeAlias = dict[str, tuple[str, list[Sample]]]
"""By what was asked, the first cell of all files: its identity and its replies."""


def by_cell(replies: Iterable[Sample]) -> dict[Cell, list[Sample]]:
    """Replies by cell, each once. A digest stands for what they say, as a file may have gigabytes
    of it, and only what is the same is of interest.
    """
    groups: dict[Cell, list[Sample]] = {}
    seen = set()
    for reply in replies:
        if reply.reply_key not in seen:
            seen.add(reply.reply_key)
            groups.setdefault(reply.cell, []).append(_light(reply))
    return groups


def cells_value(
    record: Mapping[str, Any], groups: Mapping[Cell, list[Sample]], firsts: Firsts
) -> list[dict[str, Any]]:
    """The figures of each cell, as `eval thinking --json` has them; `against` says of which cell
    `against_first` is: the first of all files that asked the same, which `firsts` remembers.
    """
    found = []
    for cell in _in_order(record, groups):
        samples = groups[cell]
        names = (cell.model, cell.profile, cell.governor)
        identity = identity_of(record, *names)
        first, other = firsts.setdefault(questions_of(record), (identity, samples))
        apart = None if first == identity else difference(other, samples)
        skills = {name: figures_of(group).to_json() for name, group in by_skill(samples).items()}
        found.append(
            {
                **dict(zip(("model", "profile", "governor"), names, strict=True)),
                **figures_of(samples).to_json(),
                "skills": skills,
                "against": first,
                "against_first": None if apart is None else apart.to_json(),
            }
        )
    return found


def missing_replies(record: Mapping[str, Any], groups: Mapping[Cell, list[Sample]]) -> int:
    """How many replies of the run are not there, as far as its record says."""
    try:
        questions = sum(int(suite["questions"]) for suite in record["suites"])
        cells = sum(len(keys) for keys in record["governors"].values())
        expected = questions * cells * int(record["samples"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return 0
    lacking = expected - sum(map(len, groups.values()))
    return lacking if 0 < lacking < 1 << 53 else 0


def _light(reply: Sample) -> Sample:
    thought, answer = (
        hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        for words in (reply.thought, reply.answer)
    )
    return replace(reply, tokens=None, thought=thought, answer=answer, found=None, why=None)


def _in_order(record: Mapping[str, Any], groups: Mapping[Cell, Any]) -> list[Cell]:
    """As they were asked for: replies are written down in the order they end."""
    order: dict[tuple[str, str], int] = {}
    governors = record.get("governors")
    if isinstance(governors, Mapping):
        for model, keys in governors.items():
            for key in keys if isinstance(keys, Mapping) else ():
                order[model, key] = len(order)
    last = len(order)
    return sorted(groups, key=lambda c: order.get((c.model, f"{c.profile} {c.governor}"), last))
