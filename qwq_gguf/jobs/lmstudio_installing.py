"""Putting a GGUF and its settings where LM Studio looks: the only part that touches the disk."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from qwq_gguf.errors import ExportError, OutputError
from qwq_gguf.exporters.lmstudio_places import (
    HOME_POINTER,
    InstallPlan,
    install_plan,
    lmstudio_home,
    models_folder,
)
from qwq_gguf.files.reading import read_file
from qwq_gguf.files.writing import Content, write_files

__all__ = ["install", "lmstudio_folders", "plan_install"]

_MOST_SETTINGS = 1 << 20


def plan_install(
    parts: tuple[Path, ...], texts: Mapping[str, str], *, user_repo: str, home: Path | None = None
) -> InstallPlan:
    """Look where LM Studio keeps things on this machine, and plan. `home` is the user's."""
    folders = lmstudio_folders(home)
    if folders is None:
        home = Path.home() if home is None else home
        raise ExportError(
            "LM Studio's folder is not here",
            path=lmstudio_home(home, _read(home / HOME_POINTER)),
            hint="start LM Studio once, or export with -o and import by hand",
        )
    lmstudio, models = folders
    # A link lasts longer than the folder it was asked for in, so no `..` leads through that. The
    # name itself stays: in the Hub's cache it is a link to a file that is named by its digest.
    absolute = tuple(_entry(part) for part in parts)
    return install_plan(absolute, texts, user_repo=user_repo, lmstudio=lmstudio, models=models)


def lmstudio_folders(home: Path | None = None) -> tuple[Path, Path] | None:
    """LM Studio's own folder and that of its models; None where it is not here."""
    home = Path.home() if home is None else home
    lmstudio = lmstudio_home(home, _read(home / HOME_POINTER))
    if not lmstudio.is_dir():
        return None
    return lmstudio, models_folder(lmstudio, _read(lmstudio / "settings.json"))


def install(plan: InstallPlan, *, copy: bool = False, force: bool = False) -> list[Path]:
    """Do all of it or nothing, and return what was made.

    A link leaves the file where it is; `copy` makes a second one. Nothing is ever moved,
    and only with `force` is something else replaced. OutputError says what was in the way.
    """
    models = {Path(source): Path(target) for source, target in plan.models.items()}
    texts = {Path(target): text for target, text in plan.texts.items()}
    todo: dict[Path, Content] = {
        target: partial(_bring, source, copy=copy)
        for source, target in models.items()
        if not _there(source, target, copy=copy)
    }
    todo |= {target: text for target, text in texts.items() if not _says(target, text)}
    write_files(todo, force=force, make_folders=True)
    return list(todo)


def _there(source: Path, target: Path, *, copy: bool) -> bool:
    """Whether the file is there already. For who wants a copy, a link to it is not enough."""
    try:
        return target.samefile(source) and (not copy or _entry(target) == _entry(source))
    except OSError:
        return False


def _entry(path: Path) -> Path:
    """The name itself, wherever it may lead, in its folder's real place."""
    return path.parent.resolve() / path.name


def _says(target: Path, text: str) -> bool:
    """Whether a file has this text. A link to such a file is another's, and so is in the way."""
    return not target.is_symlink() and target.is_file() and _read(target) == text


def _bring(source: Path, target: Path, *, copy: bool) -> None:
    if copy:
        shutil.copyfile(source, target)
        return
    try:
        target.symlink_to(source)
    except OSError:  # Windows lets few users make one; a hard link needs the same drive
        try:
            target.hardlink_to(source.resolve())
        except OSError as error:
            raise OutputError(
                f"cannot be linked: {error.strerror}", path=source, hint="--copy makes a copy"
            ) from None


def _read(path: Path) -> str | None:
    """A small text file, or None where there is none."""
    try:
        data = read_file(path, _MOST_SETTINGS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ExportError(f"cannot be read: {error.strerror}", path=path) from None
    try:
        return data.decode("utf-8") if len(data) <= _MOST_SETTINGS else ""
    except UnicodeDecodeError:
        return ""
