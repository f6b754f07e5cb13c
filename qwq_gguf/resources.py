"""Where the files that come with qwq-gguf are: the recipes, the profiles, the demo model.

In a wheel everything lies inside the package. In a checkout `quant_recipes/` lies at the
root of the repository, where people read and edit it; there this finds it too. And where
what it makes for itself may be kept: the user's cache folder.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from qwq_gguf.errors import QwqGgufError

__all__ = ["CACHE_VARIABLE", "cache_folder", "demo_checkpoint", "profiles_dir", "recipes_dir"]

CACHE_VARIABLE = "QWQ_GGUF_CACHE_DIR"

_PACKAGE = Path(__file__).resolve().parent


def recipes_dir() -> Path:
    """The folder of the shipped `*.toml` quantization recipes."""
    return _first_folder(
        "quantization recipes",
        _PACKAGE / "_data" / "quant_recipes",
        _PACKAGE.parent / "quant_recipes",
    )


def profiles_dir() -> Path:
    """The folder of the shipped `*.toml` profiles."""
    return _first_folder("profiles", _PACKAGE / "profiles")


def demo_checkpoint() -> Path:
    """The folder of the bundled tiny reasoner, laid out as on the Hugging Face Hub."""
    return _first_folder("demo checkpoint", _PACKAGE / "demo" / "checkpoint")


def cache_folder() -> Path:
    """Where this user's caches of this program belong; not necessarily there yet."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "qwq-gguf"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home()) / "qwq-gguf" / "Cache"
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "qwq-gguf"


def _first_folder(what: str, *candidates: Path) -> Path:
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise QwqGgufError(
        f"the {what} that ship with qwq-gguf are missing",
        path=candidates[0],
        hint="reinstall it: pip install --force-reinstall qwq-gguf",
    )
