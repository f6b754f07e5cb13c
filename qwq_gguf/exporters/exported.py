"""What an exporter returns: files as text, and what could not be said in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

__all__ = ["Command", "Export", "SettingRow", "Support", "slug"]


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
class Command:
    """A command for a shell, its files named as `Export.files` names them.

    `inside`: it has to be started in the folder of the files.
    """

    words: tuple[str, ...]
    inside: bool = False

    def line(self, folder: str, files: Collection[str]) -> str:
        """As it is typed by who sees the folder of `files` as `folder`."""
        if self.inside:
            return f"(cd {shlex.quote(folder)} && {shlex.join(self.words)})"
        named = (f"{folder}/{word}" if word in files else word for word in self.words)
        return shlex.join(named)


@dataclass(frozen=True, slots=True)
class Export:
    """A profile in one runtime's own form.

    `files` maps paths, relative to wherever the user wants them, to their text. `unsaid`
    has a sentence for each thing the profile asks for and these files cannot ask for.
    `settings` says of every setting there is what the runtime can do with it. `use` are
    lines and commands for a person: what to do with the files.
    """

    runtime: str
    files: Mapping[str, str]
    settings: tuple[SettingRow, ...]
    unsaid: tuple[str, ...] = ()
    use: tuple[str | Command, ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", MappingProxyType(dict(self.files)))
