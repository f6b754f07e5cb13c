"""How cells differ from another one, and what each is at each skill."""

from __future__ import annotations

from qwq_gguf.evaluation.report.document import Block, Entry, Foreign, Picture, Table, Text
from qwq_gguf.evaluation.report.figures_shown import (
    NONE,
    interval,
    signed,
    signed_percent,
    tokens,
)
from qwq_gguf.evaluation.report.groups import Group, named, short_names
from qwq_gguf.evaluation.report.plots import Axis, Row, rows
from qwq_gguf.evaluation.report.values import Interval, SkillResult
from qwq_gguf.words import count, one_line

__all__ = ["differences", "skills"]

_MOST_ROWS = 40  # of a picture with a row each


def differences(group: Group, number: int) -> list[Block]:
    """Pairs of replies, reply by reply; nothing where there are none."""
    places = {cell.identity: at + 1 for at, (cell, _) in enumerate(group.cells)}
    columns, names = named(group)
    table: list[tuple[Entry, ...]] = []
    apart: list[Row] = []
    models = list(dict.fromkeys(cell.model for cell, _ in group.cells))
    words = short_names([cell for cell, _ in group.cells])
    for name, short, (cell, _) in zip(names, words, group.cells, strict=True):
        found = cell.apart
        if found is None or found.against not in places:
            continue
        other = places[found.against]
        table.append(
            (
                *name,
                f"#{other}",
                str(found.pairs),
                str(found.same),
                signed_percent(found.accuracy.value),
                interval(found.accuracy, "signed_share"),
                NONE if found.thought is None else signed(found.thought.value),
                interval(found.thought, "signed"),
                signed(found.reply.value),
                interval(found.reply, "signed"),
            )
        )
        label = f"{name[0]} less {other}: {short}"
        apart.append(Row(label, found.accuracy.times(100), models.index(cell.model)))
    if not table:
        return []
    figures = ("less", "pairs", "same", "accuracy", "95 %", "thought", "95 %", "reply", "95 %")
    shown = apart[:_MOST_ROWS]
    axis = Axis("right answers, difference in %", least=2)
    picture = Picture(
        f"differences-{number}",
        "Differences in accuracy",
        f"{count(len(shown), 'difference')} in accuracy with intervals, and a line where nothing "
        "differs. The table below has all numbers.",
        lambda width: rows(shown, axis, 0.0, width),
    )
    said = (
        "Reply by reply, of the same question with the same dice. Where an interval holds zero, "
        "nothing was shown."
    )
    return [
        Text.of(said),
        picture,
        Table("Paired differences", (*columns, *figures), table, len(columns) + 1),
    ]


def skills(group: Group) -> list[Block]:
    """What each cell is at each skill; nothing where there is one only."""
    known = list(dict.fromkeys(name for cell, _ in group.cells for name in cell.skills))
    if len(known) < 2:
        return []
    columns, names = named(group)
    right: list[tuple[Entry, ...]] = []
    thoughts: list[tuple[Entry, ...]] = []
    for name, (cell, _) in zip(names, group.cells, strict=True):
        found = [cell.skills.get(skill) for skill in known]
        spent = [None if each is None else each.thought for each in found]
        right.append((*name, *(NONE if each is None else _right(each) for each in found)))
        thoughts.append((*name, *(NONE if each is None else _thought(each) for each in spent)))
    headings = tuple(Foreign(one_line(skill, 60)) for skill in known)
    blocks: list[Block] = [
        Table("Accuracy by skill, in %", (*columns, *headings), right, len(columns))
    ]
    if any(cell.thought for cell, _ in group.cells):
        title = "Thinking tokens by skill"
        blocks.append(Table(title, (*columns, *headings), thoughts, len(columns)))
    return blocks


def _right(found: SkillResult) -> str:
    return f"{100 * found.accuracy.value:.1f} ({interval(found.accuracy, 'share')})"


def _thought(found: Interval) -> str:
    return f"{tokens(found.value)} ({interval(found)})"
