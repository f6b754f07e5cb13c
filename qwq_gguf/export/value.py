"""What an exporter returns: files as text, and what could not be said in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

__all__ = ["Export", "SettingRow", "Support", "slug"]


def slug(text: str) -> str:
    """`text` as a part of an identifier or a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "model"


class Support(StrEnum):
    """How a runtime gets a setting."""

    EXPRESSED = "expressed"
    GGUF = "carried by the GGUF"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting in one runtime; `name` is what it is called there, where it is expressed."""

    setting: str
    support: Support
    name: str = ""


@dataclass(frozen=True, slots=True)
class Export:
    """A profile in one runtime's own form.

    `files` maps paths, relative to wherever the user wants them, to their text. `unsaid`
    has a sentence for each thing the profile asks for and these files cannot ask for.
    `settings` says of every setting there is what the runtime can do with it. `use` are
    lines for a person: what to do with the files.
    """

    runtime: str
    files: Mapping[str, str]
    settings: tuple[SettingRow, ...]
    unsaid: tuple[str, ...] = ()
    use: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", MappingProxyType(dict(self.files)))
