"""Where a quantized model goes unless it is said otherwise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from qwq_gguf.errors import OutputError, UsageError
from qwq_gguf.files.reading import user_path

__all__ = ["DEFAULT_RECIPE", "modelfile_beside", "output_paths"]

DEFAULT_RECIPE = "Q4_K_M"


def output_paths(out: str | None, name: str, recipes: Sequence[str]) -> list[Path]:
    """The GGUF to write for each recipe: `<Name>-<RECIPE>.gguf` in the folder OUT or here.

    Of a single recipe OUT may be the file itself; what is to be a folder need not be there yet.
    UsageError for two recipes of one name.
    """
    names = [f"{_file_name(name)}-{_file_name(recipe)}.gguf" for recipe in recipes]
    folded = [file_name.upper() for file_name in names]
    for recipe, file_name in zip(recipes, folded, strict=True):
        if folded.count(file_name) > 1:
            raise UsageError(f"two of the recipes are called {recipe}, and so is the file")
    if out is None:
        return [Path(file_name) for file_name in names]
    path = user_path(out)
    if path.is_dir():
        return [path / file_name for file_name in names]
    if len(names) == 1 and not out.endswith(("/", "\\")):
        return [path]
    if len(names) == 1 and path.exists():
        raise OutputError("is a file, where a folder is named", path=out)
    if path.exists() or (len(names) > 1 and path.suffix == ".gguf"):
        raise OutputError(
            "several recipes make several files",
            path=out,
            expected="a folder",
            hint="leave it out to write here",
        )
    return [path / file_name for file_name in names]


def modelfile_beside(gguf: Path) -> Path:
    """The Modelfile's own name beside a GGUF, so that several quants share a folder. Of one in
    several files, `gguf` may be the first of them.
    """
    stem = re.sub(r"(-\d{5}-of-\d{5})?\.gguf$", "", gguf.name)
    return gguf.with_name(f"{stem}.Modelfile")


def _file_name(name: str) -> str:
    # The name comes out of the checkpoint: it may hold anything.
    safe = re.sub(r"[^\w.+-]+", "-", name).strip("-.")
    return safe[:120] or "model"
