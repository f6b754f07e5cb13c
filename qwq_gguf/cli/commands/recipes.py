"""`qwq-gguf recipes`: what `quantize --recipe` knows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from qwq_gguf.cli.commands.recipes_fit import fit
from qwq_gguf.cli.flags.common import Json
from qwq_gguf.cli.flags.completion import complete_recipe
from qwq_gguf.cli.flags.sources import Revision, Token
from qwq_gguf.cli.terminal.lazy import CONTEXT_SETTINGS, HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit, emit_json, note, show_table
from qwq_gguf.cli.terminal.telling import Terminal
from qwq_gguf.errors import RecipeError
from qwq_gguf.words import human_bytes, human_count

if TYPE_CHECKING:
    from qwq_gguf.jobs.sizing import Size, Sizes
    from qwq_gguf.quantization.recipes.recipe import Recipe

__all__ = ["app"]


class _Recipes(TyperGroup):
    """`recipes`, `recipes NAME` and `recipes MODEL` are the command `show`, which need not be
    typed; `./fit` is a folder of that name.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words, the command's own among them where one is typed."""
        if not args or args[0] not in (*self.commands, *CONTEXT_SETTINGS["help_option_names"]):
            args = ["show", *args]
        return super().parse_args(ctx, args)


app = command_app(cls=_Recipes)
app.command("fit", cls=HouseCommand)(fit)


@app.callback()
def group() -> None:
    """List the quantize recipes, show one, or make one.

    `fit` makes one for a model and a size. All else is `show`, which need not be typed: see
    `qwq-gguf recipes show --help`.

    \b
    Examples:
      qwq-gguf recipes                              all of them
      qwq-gguf recipes Q4_K_M                       one
      qwq-gguf recipes Qwen/QwQ-32B                 the size by each of them
      qwq-gguf recipes fit Qwen/QwQ-32B --size 18GB
    """


@app.command("show", cls=HouseCommand)
def show(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Show this recipe, or the .toml at this path; or a checkpoint or GGUF, and the "
            "size that each recipe makes of it.",
            show_default=False,
            autocompletion=complete_recipe,
        ),
    ] = None,
    as_json: Json = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """List the quantize recipes, or show one.

    Or what each would make of a model: exact sizes, from headers alone. A recipe is a short
    TOML file: copy one, change it, and give its path to --recipe.

    \b
    Examples:
      qwq-gguf recipes
      qwq-gguf recipes Q4_K_M
      qwq-gguf recipes Q4_K_M > mine.toml
      qwq-gguf recipes Qwen/QwQ-32B                 the size by each of them
    """
    from qwq_gguf.quantization.recipes.shipped import load_recipe, recipe_names

    if name is not None and not _is_recipe(name, recipe_names()):
        from qwq_gguf.jobs.sizing import sizes_of

        _show_sizes(sizes_of(name, Terminal(), revision=revision, token=token), as_json=as_json)
        return
    for flag, given in {"--revision": revision, "--token": token}.items():
        if given is not None:
            raise typer.BadParameter(f"{flag} goes with a model on the Hub")
    if name is not None:
        recipe = load_recipe(name)
        if as_json:
            emit_json({"schema": "qwq-gguf/recipe/1", **_about(recipe), "text": recipe.text})
        else:
            emit(recipe.text.rstrip("\n"))
        return
    known = list(map(load_recipe, recipe_names()))
    if as_json:
        emit_json({"schema": "qwq-gguf/recipes/1", "recipes": [_about(each) for each in known]})
        return
    rows = []
    for recipe in known:
        bits = "" if recipe.bits is None else f"{recipe.bits:.2f}"
        matrix = "needed" if recipe.needs_imatrix else ""
        rows.append((recipe.name, bits, matrix, recipe.about))
    show_table(("recipe", "bits a weight", "imatrix", "about"), rows, right="bits a weight")


def _is_recipe(word: str, names: tuple[str, ...]) -> bool:
    """Whether a word means a recipe: one of ours, a .toml, or what looks like a mistyped one.

    RecipeError says so of the last.
    """
    from qwq_gguf.cli.flags.quantize_words import looks_like_recipe
    from qwq_gguf.words import did_you_mean, one_of

    if word.upper() in names or word.lower().endswith(".toml"):
        return True
    if looks_like_recipe(word):
        raise RecipeError(
            f"no recipe is called {word}",
            expected=one_of(names),
            hint=did_you_mean(word, names) or f"./{word} is a folder of that name",
        )
    return False


def _about(recipe: Recipe) -> dict[str, object]:
    return {
        "name": recipe.name,
        "bits_per_weight": recipe.bits,
        "needs_imatrix": recipe.needs_imatrix,
        "about": recipe.about,
    }


def _show_sizes(found: Sizes, *, as_json: bool) -> None:
    if as_json:
        emit_json(found.to_json())
        return
    rows = [
        (
            size.recipe.name,
            "" if size.plan is None else human_bytes(size.plan.file_bytes),
            "" if size.plan is None else f"{size.plan.bits_per_weight:.2f}",
            size.why or ("needs --allow-requantize" if size.again else size.recipe.about),
        )
        for size in sorted(found.sizes, key=_bytes)
    ]
    show_table(("recipe", "size", "bits a weight", "about"), rows, right="size,bits a weight")
    note(f"{found.source.name}: {human_count(found.weights)} weights")


def _bytes(size: Size) -> float:
    return math.inf if size.plan is None else size.plan.file_bytes
