"""What `quantize SOURCE [OUT] [RECIPE]` means by its two optional words. Pure but for is_dir."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

import typer

from qwq_gguf.errors import OutputError

__all__ = ["DEFAULT_RECIPE", "modelfile_beside", "output_path", "read_words"]

DEFAULT_RECIPE = "Q4_K_M"
_RECIPE_LIKE = re.compile(r"(I?Q\d|B?F16|F32)[-_\w]*", re.IGNORECASE)


def read_words(
    out: str | None, recipe: str | None, option: str | None, names: Sequence[str]
) -> tuple[str | None, str]:
    """(OUT or None, recipe) from the two positional words and `--recipe`.

    `quantize demo q8_0` means the recipe, not a file of that name; a misspelt recipe in that
    place is refused rather than taken for a file name.
    """
    if recipe is not None and option is not None and recipe.upper() != option.upper():
        raise typer.BadParameter(f"two recipes are named: {recipe} and {option}")
    named = recipe or option
    if out is not None and _is_word(out):
        if out.upper() in {name.upper() for name in names}:
            if named is None:
                return None, out
            if named.upper() == out.upper():
                return None, named
        elif _RECIPE_LIKE.fullmatch(out):
            near = difflib.get_close_matches(out.upper(), names, n=3, cutoff=0.4)
            raise typer.BadParameter(
                f"no recipe is called {out}"
                + (f"; did you mean {', '.join(near)}?" if near else "")
                + f" (a file of that name: ./{out})"
            )
    return out, named or DEFAULT_RECIPE


def _is_word(text: str) -> bool:
    return "/" not in text and "\\" not in text and "." not in text and not Path(text).exists()


def output_path(out: str | None, name: str, recipe: str) -> Path:
    """The GGUF to write: OUT itself, or `<Name>-<RECIPE>.gguf` in the folder OUT or here."""
    file_name = f"{_file_name(name)}-{_file_name(recipe)}.gguf"
    if out is None:
        return Path(file_name)
    path = Path(out).expanduser()
    if path.is_dir():
        return path / file_name
    if out.endswith(("/", "\\")):
        raise OutputError("there is no such folder", path=out, hint=f"mkdir -p {out}")
    return path


def modelfile_beside(gguf: Path) -> Path:
    """The Modelfile's own name beside a GGUF, so that several quants share a folder."""
    stem = gguf.name.removesuffix(".gguf")
    return gguf.with_name(f"{stem}.Modelfile")


def _file_name(name: str) -> str:
    # The name comes out of the checkpoint: it may hold anything.
    safe = re.sub(r"[^\w.+-]+", "-", name).strip("-.")
    return safe[:120] or "model"
