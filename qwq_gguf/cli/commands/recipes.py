"""`qwq-gguf recipes`: what `quantize --recipe` knows."""

from __future__ import annotations

from typing import Annotated

import typer

from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit, show_table

__all__ = ["app"]

app = command_app()


def _complete(incomplete: str) -> list[str]:
    from qwq_gguf.quantization.recipes.shipped import recipe_names

    return [name for name in recipe_names() if name.startswith(incomplete.upper())]


@app.command("recipes", cls=HouseCommand)
def recipes(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Show this recipe, or the .toml at this path.",
            show_default=False,
            autocompletion=_complete,
        ),
    ] = None,
) -> None:
    """List the quantize recipes, or show one.

    A recipe is a short TOML file: copy one, change it, and give its path to --recipe.

    \b
    Examples:
      qwq-gguf recipes
      qwq-gguf recipes Q4_K_M
      qwq-gguf recipes Q4_K_M > mine.toml
    """
    from qwq_gguf.quantization.recipes.shipped import load_recipe, recipe_names

    if name is not None:
        emit(load_recipe(name).text.rstrip("\n"))
        return
    rows = []
    for recipe in map(load_recipe, recipe_names()):
        bits = "" if recipe.bits is None else f"{recipe.bits:.2f}"
        matrix = "needed" if recipe.needs_imatrix else ""
        rows.append((recipe.name, bits, matrix, recipe.about))
    show_table(("recipe", "bits a weight", "imatrix", "about"), rows, right="bits a weight")
