"""The tables of an evaluation: answers, tokens, and how cells differ from the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qwq_gguf.cli.terminal.output import note, show_table
from qwq_gguf.evaluation.asking.figures import by_skill, figures_of
from qwq_gguf.evaluation.asking.pairing import difference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwq_gguf.evaluation.asking.bootstrap import Estimate
    from qwq_gguf.evaluation.asking.figures import Figures
    from qwq_gguf.evaluation.asking.sample import Cell, Sample

__all__ = ["show_evaluation"]

_NAMES = ("model", "profile", "governor", "skill")
_ANSWERS = ("right", "of", "accuracy", "95 %", "loops", "no answer", "tokens/right", "s/right")
_TOKENS = ("thought", "95 %", "median", "p95", "reply", "95 %", "median", "p95")
_APART = ("pairs", "same", "accuracy", "95 %", "thought", "95 %", "reply", "95 %")
_NONE = "-"


def show_evaluation(groups: Mapping[Cell, Sequence[Sample]], *, skills: bool = True) -> None:
    """Print what each cell says; of several skills each for itself, too."""
    rows = _rows(groups) if skills else [((c, "all"), figures_of(g)) for c, g in groups.items()]
    keep = _telling([_names(*place) for place, _ in rows])
    _show(_ANSWERS, rows, keep, _answers)
    note("")
    _show(_TOKENS, rows, keep, _tokens)
    notes = ["thought and reply are tokens a reply; 95 % is the interval, by problem"]
    if any(figures.thought_tokens is None for _, figures in rows):
        notes.append(f"{_NONE} where there was no thought")
    if len(groups) > 1:
        note("")
        _differences(groups, keep)
        notes.append("differences are from the first row, on the same problems and dice")
    note("\n" + "; ".join(notes))


def _rows(
    groups: Mapping[Cell, Sequence[Sample]],
) -> list[tuple[tuple[Cell, str], Figures]]:
    rows = []
    for cell, samples in groups.items():
        skills = by_skill(samples)
        rows += [((cell, skill), figures_of(group)) for skill, group in skills.items()]
        if len(skills) > 1:
            rows.append(((cell, "all"), figures_of(samples)))
    return rows


def _names(cell: Cell, skill: str) -> tuple[str, ...]:
    return (cell.model, cell.profile, cell.governor, skill)


def _telling(names: Sequence[tuple[str, ...]]) -> list[int]:
    """The names that tell rows apart; profile and skill are always of interest."""
    return [i for i in range(len(_NAMES)) if i in (1, 3) or len({row[i] for row in names}) > 1]


def _show(
    columns: Sequence[str],
    rows: Sequence[tuple[tuple[Cell, str], Figures]],
    keep: Sequence[int],
    cells: Callable[[Figures], tuple[str, ...]],
) -> None:
    table = [(*(_names(*place)[i] for i in keep), *cells(figures)) for place, figures in rows]
    show_table([*(_NAMES[i] for i in keep), *columns], table, right=",".join(columns))


def _answers(figures: Figures) -> tuple[str, ...]:
    tokens, seconds = figures.tokens_per_right, figures.seconds_per_right
    return (
        str(figures.right),
        str(figures.samples),
        f"{100 * figures.accuracy.value:.1f} %",
        _interval(figures.accuracy, lambda share: f"{100 * share:.1f}"),
        str(figures.looped),
        str(figures.unanswered),
        _NONE if tokens is None else f"{tokens.value:.1f}",
        _NONE if seconds is None else f"{seconds.value:.2f}",
    )


def _tokens(figures: Figures) -> tuple[str, ...]:
    found: list[str] = []
    for spread in (figures.thought_tokens, figures.reply_tokens):
        if spread is None:
            found += [_NONE] * 4
            continue
        found += [
            f"{spread.mean.value:.1f}",
            _interval(spread.mean, lambda tokens: f"{tokens:.1f}"),
            f"{spread.median.value:g}",
            f"{spread.p95.value:g}",
        ]
    return tuple(found)


def _differences(groups: Mapping[Cell, Sequence[Sample]], keep: Sequence[int]) -> None:
    (_, first), *others = groups.items()
    rows = []
    for cell, samples in others:
        apart = difference(first, samples)
        if apart is None:
            continue
        rows.append(
            (
                *(_names(cell, "all")[i] for i in keep),
                apart.pairs,
                apart.same,
                f"{100 * apart.accuracy.value:+.1f} %",
                _interval(apart.accuracy, lambda share: f"{100 * share:+.1f}"),
                *_apart(apart.thought_tokens),
                *_apart(apart.reply_tokens),
            )
        )
    show_table([*(_NAMES[i] for i in keep), *_APART], rows, right=",".join(_APART))


def _apart(found: Estimate | None) -> tuple[str, str]:
    if found is None:
        return _NONE, _NONE
    return f"{found.value:+.1f}", _interval(found, lambda tokens: f"{tokens:+.1f}")


def _interval(estimate: Estimate, shown: Callable[[float], str]) -> str:
    low, high = (_NONE if end is None else shown(end) for end in (estimate.low, estimate.high))
    return f"{low} to {high}"
