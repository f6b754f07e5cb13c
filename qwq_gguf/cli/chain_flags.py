"""Flags that override single numbers of a sampler chain, and the table that shows one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from qwq_gguf.cli.output import note, show_table
from qwq_gguf.errors import ChainError

if TYPE_CHECKING:
    from qwq_gguf.profiles import Profile
    from qwq_gguf.sampling.chain import ChainRow
    from qwq_gguf.sampling.stages import Window

__all__ = [
    "FrequencyPenalty",
    "MinP",
    "PresencePenalty",
    "RepeatLastN",
    "RepeatPenalty",
    "Temperature",
    "TopK",
    "TopP",
    "chain_rows",
    "overridden",
    "show_chain",
]

_FLAG = "a flag"

# Ranges are the chain's business: it knows them, and says why.
Temperature: TypeAlias = Annotated[
    float | None,
    typer.Option("--temperature", "--temp", metavar="T", help="Override the temperature."),
]
TopK: TypeAlias = Annotated[
    int | None, typer.Option("--top-k", metavar="K", help="Override top_k (0: off).")
]
TopP: TypeAlias = Annotated[
    float | None, typer.Option("--top-p", metavar="P", help="Override top_p (1: off).")
]
MinP: TypeAlias = Annotated[
    float | None, typer.Option("--min-p", metavar="P", help="Override min_p (0: off).")
]
PresencePenalty: TypeAlias = Annotated[
    float | None,
    typer.Option("--presence-penalty", metavar="X", help="Override the presence penalty (0: off)."),
]
FrequencyPenalty: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--frequency-penalty", metavar="X", help="Override the frequency penalty (0: off)."
    ),
]
RepeatPenalty: TypeAlias = Annotated[
    float | None,
    typer.Option("--repeat-penalty", metavar="X", help="Override the repeat penalty (1: off)."),
]
RepeatLastN: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--repeat-last-n",
        metavar="N",
        help="Tokens the penalties look back on: a number, generation, or context (-1).",
    ),
]


def overridden(
    profile: Profile, *, repeat_last_n: str | None, **values: float | int | None
) -> Profile:
    """`profile` with the numbers that were given as flags. Usage error for a bad one."""
    try:
        return profile.with_overrides(source=_FLAG, **values, penalty_window=_window(repeat_last_n))
    except ChainError as error:
        raise typer.BadParameter(str(error)) from error


def _window(text: str | None) -> Window | None:
    match text:
        case None | "generation" | "context":
            return text
        case "-1":
            return "context"  # llama.cpp's spelling of it
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(
            f"--repeat-last-n is a number, generation or context, not {text}"
        ) from None


def show_chain(profile: Profile, *, stderr: bool) -> None:
    """Print a chain: every stage in the order in which it sees the logits."""
    show_table(
        ("", "stage", "setting", "value", ""),
        [
            (place, stage, row.setting, row.value, _remark(profile, row))
            for place, stage, row in chain_rows(profile)
        ],
        right="value",
        stderr=stderr,
    )
    note(f"\nprofile {profile.name}: each stage sees what the one above it left")
    for warning in profile.warnings():
        note(f"note: {warning}")


def chain_rows(profile: Profile) -> Iterator[tuple[str, str, ChainRow]]:
    """The rows of a chain with position and stage said once a stage."""
    last = 0
    for row in profile.chain.describe():
        said = row.position == last
        yield ("", "", row) if said else (str(row.position), row.stage, row)
        last = row.position


def _remark(profile: Profile, row: ChainRow) -> str:
    changed = profile.sources.get(row.setting) == _FLAG
    return ", ".join(word for word, said in (("from a flag", changed), ("off", row.off)) if said)
