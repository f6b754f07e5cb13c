"""What a runtime on this machine calls a model: a GGUF, a name of Ollama's, one of LM Studio's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.errors import NotAGgufError
from qwq_gguf.jobs.lmstudio_installing import lmstudio_folders
from qwq_gguf.words import did_you_mean, some

if TYPE_CHECKING:
    from qwq_gguf.cures.ollama_store import Stored

__all__ = [
    "StudioFile",
    "find_ggufs",
    "find_stored",
    "find_studio_file",
    "models_of_runtimes",
    "nobodys",
]

_MOST_ENTRIES = 20_000


@dataclass(frozen=True, slots=True)
class StudioFile:
    """A GGUF in LM Studio's models folder, and where LM Studio keeps its settings."""

    path: Path
    publisher: str
    model: str
    settings: Path


def find_stored(source: str, environment: Mapping[str, str] | None = None) -> Stored | None:
    """The model of this name in a local Ollama store, None where there is none of it."""
    from qwq_gguf.cures.ollama_names import parse_name
    from qwq_gguf.cures.ollama_store import read_stored, store_folders

    name = parse_name(source)
    if name is None:
        return None
    for store in store_folders(environment or os.environ, Path.home()):
        found = read_stored(store, name)
        if found is not None:
            return found
    return None


def models_of_runtimes(
    environment: Mapping[str, str] | None = None, home: Path | None = None
) -> tuple[tuple[str, str], ...]:
    """What Ollama and LM Studio have here: the name to ask for each by, and the runtime."""
    ollama = [(name, "Ollama") for name in _stored_names(environment, home)]
    folders = lmstudio_folders(home)
    files = () if folders is None else find_ggufs(folders[1])
    return (*ollama, *((str(path), "LM Studio") for path in files))


def _stored_names(environment: Mapping[str, str] | None, home: Path | None) -> list[str]:
    from qwq_gguf.cures.ollama_store import store_folders, stored_names

    stores = store_folders(environment or os.environ, home or Path.home())
    return [name for store in stores for name in stored_names(store)]


def nobodys(source: str, environment: Mapping[str, str] | None = None) -> NotAGgufError:
    """What to say of a name that leads nowhere."""
    names = _stored_names(environment, None)
    return NotAGgufError(
        "is no GGUF file, and no model that Ollama or LM Studio has here",
        path=source,
        found=f"Ollama has {some(names, 8)}" if names else None,
        expected="a GGUF file, a model of Ollama's such as qwq, or a folder of LM Studio's",
        hint=did_you_mean(source, names),
    )


def find_studio_file(path: Path, home: Path | None = None) -> StudioFile | None:
    """What LM Studio knows of a file; None for one that is not in its models folder."""
    from qwq_gguf.exporters.lmstudio_places import defaults_of

    folders = lmstudio_folders(home)
    if folders is None:
        return None
    lmstudio, models = folders
    try:
        inside = (path.parent.resolve() / path.name).relative_to(models.resolve())
    except (OSError, ValueError):
        return None
    if len(inside.parts) != 3:
        return None
    publisher, model, name = inside.parts
    return StudioFile(path, publisher, model, defaults_of(lmstudio, publisher, model, name))


def find_ggufs(folder: Path) -> Sequence[Path]:
    """The models in a folder and those below it: GGUFs, of a model in several files the first."""
    found = []
    for path in islice(_files(folder, depth=4), _MOST_ENTRIES):
        name = path.name.lower()
        later = "-of-" in name and "-00001-of-" not in name
        if name.endswith(".gguf") and not later and not name.startswith("mmproj"):
            found.append(path)
    return sorted(found)


def _files(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = list(islice(os.scandir(folder), _MOST_ENTRIES))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if depth > 1:
                yield from _files(Path(entry.path), depth - 1)
        else:
            yield Path(entry.path)
