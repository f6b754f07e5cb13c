"""Flags that several commands take as one parameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from qwq_gguf.cli.flags.groups import takes_groups


@dataclass(frozen=True)
class Salad:
    leaves: Annotated[int, typer.Option("--leaves", help="How many.")] = 3
    oils: Annotated[list[str] | None, typer.Option("-o", "--oil", help="Which.")] = None


@dataclass(frozen=True)
class Dressed(Salad):
    salt: Annotated[bool, typer.Option("--salt", help="With it.")] = False


def program(eaten: list[object]) -> typer.Typer:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)

    @app.command()
    @takes_groups
    def eat(
        who: Annotated[str, typer.Argument(help="A guest.")],
        *,
        before: Annotated[str, typer.Option("--before", help="First.")] = "soup",
        salad: Dressed,
        after: Annotated[str, typer.Option("--after", help="Last.")] = "tea",
    ) -> None:
        """Eat."""
        eaten.extend((who, before, salad, after))

    return app


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["Ann"], ["Ann", "soup", Dressed(), "tea"]),
        (
            ["Bob", "--leaves", "7", "-o", "nut", "-o", "olive", "--salt", "--after", "none"],
            ["Bob", "soup", Dressed(7, ["nut", "olive"], True), "none"],
        ),
    ],
)
def test_a_group_arrives_as_one_value(words: list[str], expected: list[object]) -> None:
    eaten: list[object] = []
    result = CliRunner().invoke(program(eaten), words)
    assert result.exit_code == 0, result.output
    assert eaten == expected


def test_its_flags_stand_in_its_place() -> None:
    page = CliRunner().invoke(program([]), ["--help"]).output
    flags = ["--before", "--leaves", "-o, --oil", "--salt", "--after"]
    assert [page.index(flag) for flag in flags] == sorted(page.index(flag) for flag in flags)
    assert "--salad" not in page
