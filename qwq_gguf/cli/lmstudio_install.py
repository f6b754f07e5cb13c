"""Putting a GGUF and its settings where LM Studio looks: the only part that touches the disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from qwq_gguf.errors import ExportError, OutputError
from qwq_gguf.export.lmstudio_places import (
    HOME_POINTER,
    InstallPlan,
    install_plan,
    lmstudio_home,
    models_folder,
)

__all__ = ["install", "plan_install"]

_MOST_SETTINGS = 1 << 20


def plan_install(
    parts: tuple[Path, ...], texts: Mapping[str, str], *, user_repo: str, home: Path | None = None
) -> InstallPlan:
    """Look where LM Studio keeps things on this machine, and plan. `home` is the user's."""
    home = Path.home() if home is None else home
    lmstudio = lmstudio_home(home, _read(home / HOME_POINTER))
    if not lmstudio.is_dir():
        raise ExportError(
            "LM Studio's folder is not here",
            path=lmstudio,
            hint="start LM Studio once, or export with -o and import by hand",
        )
    models = models_folder(lmstudio, _read(lmstudio / "settings.json"))
    # Not resolved: in the Hub's cache a file is a link to one that is named by its digest.
    absolute = tuple(part.absolute() for part in parts)
    return install_plan(absolute, texts, user_repo=user_repo, lmstudio=lmstudio, models=models)


def install(plan: InstallPlan, *, copy: bool = False, force: bool = False) -> list[Path]:
    """Do it, and return what was made. Nothing is done when something else is in the way.

    A link leaves the file where it is; `copy` makes a second one. Nothing is ever moved.
    """
    models = {Path(source): Path(target) for source, target in plan.models.items()}
    texts = {Path(target): text for target, text in plan.texts.items()}
    todo = {source: target for source, target in models.items() if not _same(source, target)}
    changed = {target: text for target, text in texts.items() if _read(target) != text}
    taken = [path for path in (*todo.values(), *changed) if os.path.lexists(path)]
    if taken and not force:
        raise OutputError(
            "exists already", path=taken[0], hint="choose another name, or --force to replace it"
        )
    for source, target in todo.items():
        _put(target, partial(_bring, source, copy=copy))
    for target, text in changed.items():
        _put(target, partial(_write, text))
    return [*todo.values(), *changed]


def _same(source: Path, target: Path) -> bool:
    try:
        return target.samefile(source)
    except OSError:
        return False


def _write(text: str, target: Path) -> None:
    target.write_text(text, encoding="utf-8", newline="\n")


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
                f"cannot be linked: {error.strerror}", path=target, hint="--copy makes a copy"
            ) from None


def _put(target: Path, make: Callable[[Path], object]) -> None:
    """Make `target` under another name first, so that a killed copy leaves no half a model."""
    new = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        make(new)
        new.replace(target)
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", path=target) from None
    finally:
        new.unlink(missing_ok=True)


def _read(path: Path) -> str | None:
    """A small text file, or None where there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_SETTINGS + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ExportError(f"cannot be read: {error.strerror}", path=path) from None
    try:
        return data.decode("utf-8") if len(data) <= _MOST_SETTINGS else ""
    except UnicodeDecodeError:
        return ""
