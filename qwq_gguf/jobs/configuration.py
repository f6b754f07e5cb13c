"""What a user set for good: a configuration file, and variables of the environment before it.

The file is `~/.config/qwq-gguf/config.toml`, or what QWQ_GGUF_CONFIG names. Flags of a command
stand in a table of its name; what they may be only the command itself knows, so they stay as they
are written until it reads them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qwq_gguf.errors import ConfigurationError
from qwq_gguf.files.reading import user_path
from qwq_gguf.toml_table import Table, read_toml, toml_table

__all__ = [
    "GENERAL",
    "PREFIX",
    "THEMES",
    "Configuration",
    "Said",
    "configuration_path",
    "read_configuration",
]

PREFIX = "QWQ_GGUF_"
THEMES = ("auto", "no-color", "plain")
GENERAL = ("profile", "threads", "models", "theme")
_MOST_BYTES = 1 << 18
_MOST_THREADS = 4096
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Said:
    """A value, and who said it: the file's path, or a variable's name."""

    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """`general` are profile, threads, models and theme, as far as they are said; `aliases` other
    names for models; `flags` by command (`chat`, `eval thinking`) and flag, without dashes.
    """

    path: Path
    is_there: bool = False
    general: Mapping[str, Said] = field(default_factory=dict)
    aliases: Mapping[str, Said] = field(default_factory=dict)
    flags: Mapping[str, Mapping[str, Said]] = field(default_factory=dict)

    def model(self, source: str) -> str:
        """What a name of a model stands for; itself, if it is no alias."""
        said = self.aliases.get(source)
        return source if said is None else str(said.value)


def configuration_path(environment: Mapping[str, str]) -> Path:
    """Where the file is, or would be."""
    named = environment.get(f"{PREFIX}CONFIG")
    if named:
        return user_path(named)
    base = environment.get("XDG_CONFIG_HOME", "")
    # The XDG specification: a relative path is invalid, and is to be ignored.
    folder = Path(base) if Path(base).is_absolute() else Path.home() / ".config"
    return folder / "qwq-gguf" / "config.toml"


def read_configuration(environment: Mapping[str, str] | None = None) -> Configuration:
    """All of it. ConfigurationError for what is malformed, with the nearest name that there is."""
    environment = os.environ if environment is None else environment
    path = configuration_path(environment)
    table = Table({}, ConfigurationError, path)
    is_there = path.exists() and str(path) != os.devnull  # as one says that there is none
    if is_there:
        text = read_toml(path, _MOST_BYTES, "configuration", ConfigurationError)
        table = toml_table(text, "configuration", ConfigurationError, path)
    origin = str(path)
    general = {name: Said(_general(table, name), origin) for name in GENERAL if name in table}
    for name in GENERAL:
        variable = f"{PREFIX}{name.upper()}"
        if environment.get(variable):
            general[name] = Said(_from_text(name, environment[variable], variable), variable)
    return Configuration(path, is_there, general, _aliases(table, origin), _flags(table, origin))


def _general(table: Table, name: str) -> Any:
    match name:
        case "threads":
            return table.whole(name, 1, _MOST_THREADS)
        case "theme" if table.text(name) not in THEMES:
            table.unknown("there is no such theme", table.text(name), THEMES)
        case "models":
            return str(user_path(table.text(name)))
    return table.text(name)


def _from_text(name: str, text: str, variable: str) -> Any:
    """What a variable says, by the same rules."""
    table = Table({name: text}, ConfigurationError, None, "")
    if name == "threads":
        if not text.isascii() or not text.isdecimal() or len(text) > 6:
            raise ConfigurationError(f"{variable} must be a whole number", found=text[:80])
        table = Table({name: int(text)}, ConfigurationError)
    try:
        return _general(table, name)
    except ConfigurationError as error:
        error.message = f"{variable}: {error.message}"
        raise


def _aliases(table: Table, origin: str) -> dict[str, Said]:
    if "aliases" not in table:
        return {}
    inner = table.table("aliases")
    for name in inner.values:
        if not _ALIAS.fullmatch(name):
            inner.refuse(
                "an alias is a word", name[:80], "letters, digits, dots, dashes, underscores"
            )
    return {name: Said(inner.text(name), origin) for name in inner.values}


def _flags(table: Table, origin: str) -> dict[str, dict[str, Said]]:
    found: dict[str, dict[str, Said]] = {}
    for name, values in table.values.items():
        if name in (*GENERAL, "aliases"):
            continue
        if not isinstance(values, Mapping):
            table.unknown("there is no such setting", name, (*GENERAL, "aliases"))
        for flag, value in values.items():
            if isinstance(value, Mapping):  # [eval.thinking]
                inner = {key: Said(each, origin) for key, each in value.items()}
                found[f"{name} {flag}"] = inner
            else:
                found.setdefault(name, {})[flag] = Said(value, origin)
    return found
