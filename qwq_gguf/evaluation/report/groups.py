"""Runs that asked the same questions, and how their cells are named."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qwq_gguf.evaluation.report.document import Entry, Foreign
from qwq_gguf.evaluation.report.figures_shown import labels_of
from qwq_gguf.evaluation.report.values import CellResult, ThinkingRun
from qwq_gguf.words import one_line

__all__ = ["Group", "groups_of", "named", "questions_of", "short_names", "words_of"]

_NAMES = ("model", "profile", "governor")


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that asked the same questions; `cells` are theirs, each with its file."""

    runs: tuple[ThinkingRun, ...]
    cells: tuple[tuple[CellResult, str], ...]
    twice: tuple[str, ...]

    @property
    def suites(self) -> list[str]:
        """What was asked, by name."""
        return _suites(self.runs[0])


def groups_of(runs: Sequence[ThinkingRun]) -> list[Group]:
    """Runs by what they asked; a cell that is there twice is taken once."""
    together: dict[str, list[ThinkingRun]] = {}
    for run in runs:
        together.setdefault(questions_of(run.record), []).append(run)
    found = []
    for group in together.values():
        cells: dict[str, tuple[CellResult, str]] = {}
        twice = []
        for run in group:
            for cell in run.cells:
                if cell.identity in cells:
                    twice.append(run.file)
                else:
                    cells[cell.identity] = (cell, run.file)
        found.append(Group(tuple(group), tuple(cells.values()), tuple(dict.fromkeys(twice))))
    return found


def questions_of(record: object) -> str:
    """What was asked, as a text that is equal for the same questions."""
    known = record if isinstance(record, Mapping) else {}
    return json.dumps([known.get("suites"), known.get("append")], sort_keys=True, default=str)


def _suites(run: ThinkingRun) -> list[str]:
    suites = run.record.get("suites")
    known = [s for s in suites if isinstance(s, dict)] if isinstance(suites, list) else []
    return [one_line(str(suite.get("name")), 60) for suite in known]


def words_of(cell: CellResult) -> list[str]:
    """Its names, for a line."""
    return [one_line(getattr(cell, name), 60) for name in _NAMES]


def named(group: Group) -> tuple[tuple[str, ...], list[tuple[Entry, ...]]]:
    """Columns with what tells the cells apart, and what stands in them: a number first."""
    cells = [cell for cell, _ in group.cells]
    kept = _telling(cells)
    labels = [tuple(getattr(cell, name) for name in kept) for cell in cells]
    files = ["file"] if len(set(labels)) < len(labels) else []
    found = []
    for at, (cell, file) in enumerate(group.cells):
        row: list[Entry] = [str(at + 1)]
        row += [Foreign(one_line(getattr(cell, name), 80)) for name in kept]
        found.append((*row, *[Foreign(file) for _ in files]))
    return ("#", *kept, *files), found


def short_names(cells: Sequence[CellResult]) -> list[str]:
    """What tells them apart, in few letters."""
    models = list(dict.fromkeys(cell.model for cell in cells))
    shown = dict(zip(models, labels_of(models), strict=True))
    kept = [name for name in _telling(cells) if name != "model" or len(models) > 1]
    return [
        " · ".join(
            shown[cell.model] if name == "model" else one_line(getattr(cell, name), 60)
            for name in kept
        )
        for cell in cells
    ]


def _telling(cells: Sequence[CellResult]) -> list[str]:
    """Which names tell them apart; the model's is always of interest."""
    return [n for n in _NAMES if n == "model" or len({getattr(c, n) for c in cells}) > 1]
