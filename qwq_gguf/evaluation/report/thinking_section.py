"""Sections on questions that were asked: accuracy against thinking tokens, and differences."""

from __future__ import annotations

from qwq_gguf.evaluation.report.difference_blocks import differences, skills
from qwq_gguf.evaluation.report.document import Block, Entry, Foreign, Picture, Section, Table, Text
from qwq_gguf.evaluation.report.figures_shown import NONE, interval, percent, tokens, whole
from qwq_gguf.evaluation.report.groups import Group, named, words_of
from qwq_gguf.evaluation.report.pareto_front import front
from qwq_gguf.evaluation.report.plots import Axis, Point, scatter
from qwq_gguf.words import count, one_line, some

__all__ = ["thinking_section"]


def thinking_section(group: Group, number: int, of: int) -> Section:
    """What the cells of these runs say; it is the `number`-th (from 1) of so many sections."""
    cells = [cell for cell, _ in group.cells]
    title = "Right answers and thinking tokens"
    blocks: list[Block] = [_asked(group)]
    for run in group.runs:
        if run.missing:
            lacks = f" isn't finished: it lacks {run.missing:,} of its replies."
            blocks.append(Text.of(Foreign(run.file), lacks))
    for file in group.twice:
        blocks.append(
            Text.of("Cells of ", Foreign(file), " that stand in a file before it are left out.")
        )
    if not cells:
        return Section(title, (*blocks, Text.of("There are no replies yet.")))
    blocks += _pareto(group, number)
    blocks += differences(group, number)
    blocks += skills(group)
    return Section(title if of == 1 else f"{title}, {number}", tuple(blocks))


def _asked(group: Group) -> Text:
    parts: list[Entry] = ["Asked: "]
    for at, suite in enumerate(group.suites):
        parts += [", "] * bool(at) + [Foreign(suite)]
    append = group.runs[0].record.get("append")
    if isinstance(append, str):
        parts += [", each with ", Foreign(one_line(append, 200)), " behind it"]
    parts.append(". Intervals are at 95 %, by problem.")
    return Text(tuple(parts))


# ------------------------------------------------------------------- accuracy and tokens


def _pareto(group: Group, number: int) -> list[Block]:
    cells = [cell for cell, _ in group.cells]
    models = list(dict.fromkeys(cell.model for cell in cells))
    think = all(cell.thought is not None for cell in cells)
    spent = [cell.thought if think and cell.thought else cell.reply for cell in cells]
    pairs = zip(spent, cells, strict=True)
    best = set(front([(cost.value, -cell.accuracy.value) for cost, cell in pairs]))
    points = [
        Point(
            cost,
            cell.accuracy.times(100),
            str(at + 1),
            f"{at + 1}: {' · '.join(words_of(cell))}, {percent(cell.accuracy.value)}, "
            f"{tokens(cost.value)} tokens",
            models.index(cell.model),
            at in best,
        )
        for at, (cell, cost) in enumerate(zip(cells, spent, strict=True))
    ]
    x = Axis(f"{'thinking' if think else 'reply'} tokens, mean", least=1, bottom=0)
    y = Axis("right answers, %", least=5, bottom=0, top=100)
    names = [one_line(model, 80) for model in models]
    on = [str(at + 1) for at in sorted(best)]
    about = (
        f"{count(len(cells), 'cell')} by mean {'thinking' if think else 'reply'} tokens and share "
        f"of right answers, with intervals. On the front: {some(on, 20)}. The table below has all "
        "numbers."
    )
    picture = Picture(
        f"accuracy-{number}", "Accuracy against tokens", about,
        lambda width: scatter(points, x, y, names, width),
    )  # fmt: skip
    said = "On the line are cells that no other one beats in both: by the figures as they are; "
    said += "where intervals overlap, nothing was shown."
    if not think:
        said += " Tokens are those of the whole reply, as some cells have no thoughts."
    return [picture, Text.of(said), _answers(group, best), _spent(group)]


def _answers(group: Group, best: set[int]) -> Table:
    columns, names = named(group)
    table = [
        (
            *name,
            f"{cell.right} of {cell.replies}",
            percent(cell.accuracy.value),
            interval(cell.accuracy, "share"),
            "yes" if at in best else "",
            str(cell.loops),
            str(cell.unanswered),
        )
        for at, (name, (cell, _)) in enumerate(zip(names, group.cells, strict=True))
    ]
    figures = ("right", "accuracy", "95 %", "on the front", "loops", "no answer")
    return Table("Answers", (*columns, *figures), table, len(columns))


def _spent(group: Group) -> Table:
    columns, names = named(group)
    table = []
    for name, (cell, _) in zip(names, group.cells, strict=True):
        thought, right, seconds = cell.thought, cell.tokens_per_right, cell.seconds_per_right
        table.append(
            (
                *name,
                NONE if thought is None else tokens(thought.value),
                interval(thought),
                whole(cell.thought_median),
                whole(cell.thought_p95),
                tokens(cell.reply.value),
                interval(cell.reply),
                NONE if right is None else tokens(right.value),
                NONE if seconds is None else f"{seconds.value:.2f}",
            )
        )
    figures = ("thought", "95 %", "median", "p95", "reply", "95 %", "tokens/right", "s/right")
    return Table("Tokens a reply, and what a right answer costs", (*columns, *figures), table,
                 len(columns))  # fmt: skip
