"""The models that `run` made or fetched, in a folder with a small file about each.

A file of the name `NAME.model.json` beside a GGUF says what it was made of and when it was last
used. It may be anybody's work, so it is read within bounds, and names no file outside its folder
but one that is only ever opened as a GGUF.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qwq_gguf.errors import OutputError
from qwq_gguf.files.naming import failure
from qwq_gguf.files.reading import read_file
from qwq_gguf.files.writing import write_file
from qwq_gguf.jobs.configuration import Configuration
from qwq_gguf.json_text import parse_json

__all__ = ["Kept", "find_kept", "forget", "keep", "kept_models", "models_folder", "touched"]

_SCHEMA = "qwq-gguf/model/1"
_SUFFIX = ".model.json"
_MOST_BYTES = 1 << 14
_MOST_MODELS = 4096
_BESIDE = r"(-\d{5}-of-\d{5})?\.(gguf|manifest\.json|Modelfile)"
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]{0,150}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Kept:
    """A model that is kept: what it is called, of what it was made, and its file.

    `ours`: the file lies in the models folder, and goes when it is removed; another's is of the
    Hub's cache. `begun`: its making was agreed to and has not ended. Times are in UTC.
    """

    name: str
    source: str
    path: Path
    recipe: str | None = None
    context: int | None = None
    ours: bool = True
    begun: bool = False
    used: datetime | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All that lies here of it."""
        if not self.ours:
            return (self.path,) if self.path.is_file() else ()
        stem = re.sub(r"(-\d{5}-of-\d{5})?\.gguf$", "", self.path.name)
        pattern = re.compile(re.escape(stem) + _BESIDE)
        try:
            found = sorted(self.path.parent.iterdir())
        except OSError:
            return ()
        return tuple(each for each in found if pattern.fullmatch(each.name))

    @property
    def nbytes(self) -> int:
        """The bytes of its files."""
        total = 0
        for path in self.files:
            try:
                total += path.stat().st_size
            except OSError:
                continue
        return total

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "name": self.name,
            "source": self.source,
            "path": str(self.path),
            "recipe": self.recipe,
            "context": self.context,
            "ours": self.ours,
            "begun": self.begun,
            "bytes": self.nbytes,
            "used": None if self.used is None else self.used.isoformat(timespec="seconds"),
        }


def models_folder(
    configuration: Configuration, environment: Mapping[str, str] | None = None
) -> Path:
    """Where models are kept; not necessarily there yet."""
    said = configuration.general.get("models")
    if said is not None:
        return Path(said.value)
    environment = os.environ if environment is None else environment
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "qwq-gguf" / "models"
    if sys.platform == "win32":
        local = environment.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home()) / "qwq-gguf" / "models"
    base = environment.get("XDG_DATA_HOME", "")
    folder = Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "share"
    return folder / "qwq-gguf" / "models"


def kept_models(folder: Path) -> tuple[Kept, ...]:
    """All of them, the last used first; what cannot be read is left aside."""
    found = [kept for path in _notes(folder) if (kept := _read(path)) is not None]
    never = datetime.min.replace(tzinfo=UTC)
    return tuple(sorted(found, key=lambda kept: kept.used or never, reverse=True))


def find_kept(folder: Path, name: str) -> Kept | None:
    """The model that is called so, or was made of what is called so; the last used of several."""
    models = [kept for kept in kept_models(folder) if kept.path.is_file() or kept.begun]
    wanted = name.lower()
    ways: tuple[Callable[[Kept], bool], ...] = (
        lambda kept: kept.source == name,
        lambda kept: kept.name.lower() == wanted,
        lambda kept: kept.name.lower() == f"{wanted}-{kept.recipe}".lower(),
    )
    return next((kept for way in ways for kept in models if way(kept)), None)


def keep(folder: Path, kept: Kept) -> Kept:
    """Write it down, in the place of what was written of that name."""
    if not _NAME.fullmatch(kept.name):
        raise OutputError("is no name for a model", path=kept.name)
    value = {
        "schema": _SCHEMA,
        "source": kept.source,
        "file": kept.path.name if kept.ours else str(kept.path),
        "recipe": kept.recipe,
        "context": kept.context,
        "state": "begun" if kept.begun else "made",
        "used": None if kept.used is None else kept.used.isoformat(timespec="seconds"),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failure(error, folder, 0) from error
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    write_file(folder / f"{kept.name}{_SUFFIX}", text, force=True)
    return kept


def touched(folder: Path, kept: Kept, now: datetime | None = None) -> None:
    """Write down that it is used now; a folder that cannot be written changes nothing else."""
    try:
        keep(folder, replace(kept, begun=False, used=now or datetime.now(UTC)))
    except OutputError:
        pass


def forget(folder: Path, kept: Kept) -> tuple[Path, ...]:
    """Remove its files, if they are ours, and what is written about it; what went."""
    gone = []
    note = folder / f"{kept.name}{_SUFFIX}"
    for path in (*(kept.files if kept.ours else ()), note):
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise OutputError(f"cannot be removed: {error.strerror}", path=path) from None
        gone.append(path)
    return tuple(gone)


def _notes(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    yield from [path for path in entries if path.name.endswith(_SUFFIX)][:_MOST_MODELS]


def _read(path: Path) -> Kept | None:
    name = path.name.removesuffix(_SUFFIX)
    try:
        data = read_file(path, _MOST_BYTES)
        value = parse_json(data) if len(data) <= _MOST_BYTES else None
    except (OSError, ValueError):
        return None
    if not isinstance(value, dict) or value.get("schema") != _SCHEMA or not _NAME.fullmatch(name):
        return None
    source, file = value.get("source"), value.get("file")
    if not isinstance(source, str) or not isinstance(file, str) or not file.endswith(".gguf"):
        return None
    ours = "/" not in file and "\\" not in file
    recipe, context = value.get("recipe"), value.get("context")
    return Kept(
        name,
        source,
        path.parent / file if ours else Path(file),
        recipe if isinstance(recipe, str) and len(recipe) <= 80 else None,
        context if isinstance(context, int) and 0 < context < 1 << 31 else None,
        ours=ours,
        begun=value.get("state") == "begun",
        used=_time(value.get("used")),
    )


def _time(text: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return time if time is not None and time.tzinfo is not None else None
