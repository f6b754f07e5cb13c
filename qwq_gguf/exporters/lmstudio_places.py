"""Where LM Studio keeps things, and what putting a model there would do. Nothing is done here.

The same on Linux, macOS and Windows: a folder `.lmstudio` in the user's home, unless a
file `.lmstudio-home-pointer` beside it names another; models below it or in the
`downloadsFolder` of its settings.json, and virtual models in `hub/models`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, TypeVar

from qwq_gguf.errors import ExportError
from qwq_gguf.exporters.lmstudio import split_user_repo
from qwq_gguf.exporters.lmstudio_hub import MANIFEST, MODEL
from qwq_gguf.json_text import parse_json

__all__ = [
    "HOME_POINTER",
    "InstallPlan",
    "defaults_of",
    "install_plan",
    "lmstudio_home",
    "models_folder",
]

P = TypeVar("P", bound=PurePath)

HOME_POINTER = ".lmstudio-home-pointer"
_DEFAULTS = (".internal", "user-concrete-model-default-config")
_PRESETS = "config-presets"
_HUB = ("hub", "models")


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """The GGUFs to link or copy (source -> target), and the texts to write. What comes later
    names what comes earlier.
    """

    models: Mapping[PurePath, PurePath]
    texts: Mapping[PurePath, str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", MappingProxyType(dict(self.models)))
        object.__setattr__(self, "texts", MappingProxyType(dict(self.texts)))


def lmstudio_home(home: P, pointer: str | None = None) -> P:
    """LM Studio's folder; `pointer` is the text of HOME_POINTER in `home`, if there is one."""
    named = type(home)((pointer or "").strip())
    return named if named.is_absolute() else home / ".lmstudio"


def models_folder(lmstudio: P, settings: str | None) -> P:
    """Where models lie; `settings` is the text of settings.json, if there is one.

    ExportError when it is there and cannot be read: guessing would put the model where
    LM Studio does not look.
    """
    if settings is None:
        return lmstudio / "models"
    try:
        values: Any = parse_json(settings)
    except ValueError:
        raise ExportError(
            "LM Studio's settings are not JSON", path=str(lmstudio / "settings.json")
        ) from None
    folder = values.get("downloadsFolder") if isinstance(values, dict) else None
    return type(lmstudio)(folder) if isinstance(folder, str) and folder else lmstudio / "models"


def defaults_of(lmstudio: P, publisher: str, model: str, name: str) -> P:
    """The settings of one file; `name` is the file's own, or that with `.json` behind it."""
    name = name if name.endswith(".json") else f"{name}.json"
    return lmstudio.joinpath(*_DEFAULTS, publisher, model, name)


def install_plan(
    parts: tuple[P, ...],
    texts: Mapping[str, str],
    *,
    user_repo: str,
    lmstudio: P,
    models: P,
) -> InstallPlan:
    """What to do with the GGUF in `parts` and the files of an export named `texts`.

    All of these go to LM Studio's folder: the file's defaults, presets, and the virtual
    model to where those of its hub lie.
    """
    publisher, model = split_user_repo(user_repo)
    targets: dict[PurePath, PurePath] = {
        part: models / publisher / model / part.name for part in parts
    }
    written: dict[PurePath, str] = {}
    for name, text in texts.items():
        if name.endswith(".preset.json"):
            written[lmstudio / _PRESETS / name] = text
        elif name.endswith(".gguf.json"):
            written[defaults_of(lmstudio, publisher, model, name)] = text
    if MODEL in texts and MANIFEST in texts:
        about = json.loads(texts[MANIFEST])
        folder = lmstudio.joinpath(*_HUB, about["owner"], about["name"])
        written |= {folder / name: texts[name] for name in (MODEL, MANIFEST)}
    return InstallPlan(targets, written)
