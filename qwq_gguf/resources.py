"""Where the files that come with qwq-gguf are: the recipes, the profiles, the demo model.

In a wheel everything lies inside the package. In a checkout `quant_recipes/` lies at the
root of the repository, where people read and edit it; there this finds it too. And where
what it makes for itself may be kept: the user's cache folder.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from qwq_gguf.errors import QwqGgufError
from qwq_gguf.files.reading import open_file

__all__ = [
    "CACHE_VARIABLE",
    "cache_folder",
    "demo_checkpoint",
    "machine_data",
    "own_cache",
    "profiles_dir",
    "read_own",
    "recipes_dir",
]

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


def machine_data(name: str) -> Path:
    """A table that ships with the planner: `cards.toml`, `thought_lengths.toml`."""
    return _first_folder("planner's tables", _PACKAGE / "machine" / "data") / name


def demo_checkpoint() -> Path:
    """The folder of the bundled tiny reasoner, laid out as on the Hugging Face Hub."""
    return _first_folder("demo checkpoint", _PACKAGE / "demo" / "checkpoint")


def cache_folder() -> Path:
    """Where this user's caches of this program belong; not necessarily there yet.

    QwqGgufError for a folder that depends on where the program is started: whoever made
    that place could have left a cache there, and machine code is loaded from caches.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    folder = Path(chosen) if chosen else _usual_caches()
    if not folder.is_absolute():
        raise QwqGgufError(
            "the folder for caches must not depend on the current one",
            found=folder,
            expected="an absolute path",
            hint=f"set {CACHE_VARIABLE} to one",
        )
    return folder


def _usual_caches() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "qwq-gguf"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home()) / "qwq-gguf" / "Cache"
    xdg = os.environ.get("XDG_CACHE_HOME")
    # The XDG specification: a relative path is invalid, and is to be ignored.
    usable = xdg is not None and Path(xdg).is_absolute()
    return (Path(xdg) if xdg and usable else Path.home() / ".cache") / "qwq-gguf"


def own_cache(*parts: str, root: Path | None = None) -> Path | None:
    """A folder below the caches, made if need be, in which nobody else can have put anything.

    None when one of the folders on the way, from `root` on (`cache_folder`), belongs to
    another user or may be written by everybody, or when it cannot be made.
    """
    folder = cache_folder() if root is None else root
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        for part in ("", *parts):
            folder = folder / part
            folder.mkdir(mode=0o700, exist_ok=True)
            if not _own(folder.stat(), stat.S_ISDIR):
                return None
    except OSError:
        return None
    return folder


def read_own(path: Path, most: int) -> bytes | None:
    """A small file of a cache; None unless it is a regular file of this user's own.

    Nothing is opened that would make us wait, or do something by being opened: a pipe, a
    device. OSError when it is not there, or is none.
    """
    with os.fdopen(open_file(path), "rb") as file:
        if not _own(os.fstat(file.fileno()), stat.S_ISREG):
            return None
        text = file.read(most + 1)
    return text if len(text) <= most else None


def _own(status: os.stat_result, is_kind: Callable[[int], bool]) -> bool:
    if not is_kind(status.st_mode):
        return False
    if sys.platform == "win32":
        return True  # folders there are private to their user unless he shares them
    return status.st_uid == os.geteuid() and not status.st_mode & stat.S_IWOTH


def _first_folder(what: str, *candidates: Path) -> Path:
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise QwqGgufError(
        f"the {what} that ship with qwq-gguf are missing",
        path=candidates[0],
        hint="reinstall it: pip install --force-reinstall qwq-gguf",
    )
