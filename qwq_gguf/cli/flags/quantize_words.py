"""What `quantize SOURCE [OUT] [RECIPE]` means by its two optional words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import typer

from qwq_gguf.jobs.output_paths import DEFAULT_RECIPE
from qwq_gguf.words import did_you_mean

__all__ = ["looks_like_recipe", "read_words"]

_RECIPE_LIKE = re.compile(r"(I?Q\d|B?F16|F32)[-_\w]*", re.IGNORECASE)


def looks_like_recipe(word: str) -> bool:
    """Whether a word is spelled as recipes are, and is nothing that lies here."""
    return bool(_RECIPE_LIKE.fullmatch(word)) and not Path(word).exists()


def read_words(
    out: str | None,
    word: str | None,
    options: Sequence[str],
    names: Sequence[str],
    out_option: str | None = None,
) -> tuple[str | None, tuple[str, ...]]:
    """(OUT or None, recipes) from the two positional words and every `--recipe`.

    `quantize demo q8_0` means the recipe, not a file of that name; a misspelt recipe in that
    place is refused rather than taken for a file name. `out_option` is what --out says: then
    the one word there may be is the recipe.
    """
    if out_option is not None:
        if out is not None and (word is not None or not looks_like_recipe(out)):
            raise typer.BadParameter("OUT and --out: one of them")
        place, recipes = read_words(None, out, options, names)
        return out_option if place is None else place, recipes
    asked = {option.upper() for option in options}
    if len(asked) < len(options):
        twice = next(option for option in options if _times(option, options) > 1)
        raise typer.BadParameter(f"the recipe {twice} is named twice")
    if word is not None and options and word.upper() not in asked:
        both = " ".join(f"-r {recipe}" for recipe in (word, *options))
        raise typer.BadParameter(
            f"two recipes are named: {word} and {', '.join(options)} (for all of them: {both})"
        )
    named = tuple(options) or (() if word is None else (word,))
    if out is not None and _is_word(out):
        if out.upper() in {name.upper() for name in names}:
            if not named:
                return None, (out,)
            if out.upper() in {name.upper() for name in named}:
                return None, named
            if len(named) > 1:
                raise typer.BadParameter(f"{out} is a recipe: for it as well, -r {out}")
        elif _RECIPE_LIKE.fullmatch(out):
            near = did_you_mean(out, names)
            raise typer.BadParameter(
                f"no recipe is called {out}"
                + (f"; {near}" if near else "")
                + f" (a file of that name: ./{out})"
            )
    return out, named or (DEFAULT_RECIPE,)


def _times(text: str, texts: Sequence[str]) -> int:
    return sum(text.upper() == other.upper() for other in texts)


def _is_word(text: str) -> bool:
    return "/" not in text and "\\" not in text and "." not in text and not Path(text).exists()
