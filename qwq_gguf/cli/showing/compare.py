"""`qwq-gguf profiles --compare`, as a table."""

from __future__ import annotations

from qwq_gguf.cli.terminal.output import emit, show_table
from qwq_gguf.jobs.comparing import Compared, percent, quoted
from qwq_gguf.sampling import Grammar
from qwq_gguf.words import count

__all__ = ["show_compared"]


def show_compared(compared: Compared, most: int) -> None:
    """Print the table, its first `most` tokens."""
    names = [profile.name for profile in compared.profiles]
    result = compared.comparison
    rows = [
        (
            quoted(compared.texts[row.token]),
            percent(row.model),
            *(percent(row.chains[name]) if row.chains[name] else "-" for name in names),
        )
        for row in result.rows[:most]
    ]
    emit(f"{compared.title()}\n")
    show_table(("token", "model", *names), rows, right=",".join(("model", *names)))
    if len(result.rows) > most:
        emit(f"and {count(len(result.rows) - most, 'more token')} (--top shows more)")
    emit("")
    facts = (
        ("kept tokens", "", *(f"{result.kept[name]:,}" for name in names)),
        ("of the model's mass", "", *(percent(result.mass[name]) for name in names)),
        ("undecided, in bits", "", *(f"{result.entropy[name]:.3f}" for name in names)),
    )
    show_table(("", "", *names), facts, right=",".join(names))
    emit(f"\n{compared.verdict()}")
    if any((g := p.chain.stage(Grammar)) is not None and not g.off for p in compared.profiles):
        emit("the reply is the model's own, so a grammar is left out of this")
