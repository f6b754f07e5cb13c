"""What `quantize SOURCE [OUT] [RECIPE]` means by its two optional words. Pure but for is_dir."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import typer

from qwq_gguf.errors import OutputError
from qwq_gguf.files import user_path
from qwq_gguf.words import did_you_mean

__all__ = ["DEFAULT_RECIPE", "modelfile_beside", "output_paths", "read_words"]

DEFAULT_RECIPE = "Q4_K_M"
_RECIPE_LIKE = re.compile(r"(I?Q\d|B?F16|F32)[-_\w]*", re.IGNORECASE)


def read_words(
    out: str | None, word: str | None, options: Sequence[str], names: Sequence[str]
) -> tuple[str | None, tuple[str, ...]]:
    """(OUT or None, recipes) from the two positional words and every `--recipe`.

    `quantize demo q8_0` means the recipe, not a file of that name; a misspelt recipe in that
    place is refused rather than taken for a file name.
    """
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


def output_paths(out: str | None, name: str, recipes: Sequence[str]) -> list[Path]:
    """The GGUF to write for each recipe: `<Name>-<RECIPE>.gguf` in the folder OUT or here.

    Of a single recipe OUT may be the file itself.
    """
    names = [f"{_file_name(name)}-{_file_name(recipe)}.gguf" for recipe in recipes]
    for recipe, file_name in zip(recipes, names, strict=True):
        if _times(file_name, names) > 1:
            raise typer.BadParameter(f"two of the recipes are called {recipe}, and so is the file")
    if out is None:
        return [Path(file_name) for file_name in names]
    path = user_path(out)
    if path.is_dir():
        return [path / file_name for file_name in names]
    if len(names) == 1 and not out.endswith(("/", "\\")):
        return [path]
    if path.suffix == ".gguf" or path.exists():
        raise OutputError(
            "several recipes make several files",
            path=out,
            expected="a folder",
            hint="leave it out to write here",
        )
    raise OutputError("there is no such folder", path=out, hint=f"mkdir -p {out}")


def modelfile_beside(gguf: Path) -> Path:
    """The Modelfile's own name beside a GGUF, so that several quants share a folder."""
    stem = gguf.name.removesuffix(".gguf")
    return gguf.with_name(f"{stem}.Modelfile")


def _file_name(name: str) -> str:
    # The name comes out of the checkpoint: it may hold anything.
    safe = re.sub(r"[^\w.+-]+", "-", name).strip("-.")
    return safe[:120] or "model"
