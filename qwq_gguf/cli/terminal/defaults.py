"""What a configuration says of a command's flags, as the defaults that they then have."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from qwq_gguf.errors import ConfigurationError
from qwq_gguf.jobs.configuration import PREFIX, Configuration, Said
from qwq_gguf.words import did_you_mean, one_of

__all__ = ["apply_theme", "check_commands", "defaults_of", "flags_of"]

# A profile is what a model is run with; what writes a file is told by its own flag.
_RUNS = ("chat", "run", "serve", "eval thinking")
# These change what a command is, and belong where one sees them.
_NEVER = ("help", "json", "version")


def flags_of(parameters: Sequence[Any]) -> dict[str, Any]:
    """Flag without dashes -> parameter: of each its long names, and those it once had."""
    found = {}
    for parameter in parameters:
        if parameter.param_type_name != "option":
            continue
        for spelled in parameter.opts:
            if spelled.startswith("--") and spelled[2:] not in _NEVER:
                found[spelled[2:]] = parameter
    return found


def defaults_of(
    command: str,
    parameters: Sequence[Any],
    configuration: Configuration,
    environment: Mapping[str, str],
) -> dict[str, Said]:
    """Parameter's name -> what counts for it. ConfigurationError names a flag that there isn't."""
    flags = flags_of(parameters)
    found: dict[str, Said] = {}
    general = configuration.general
    if "threads" in general and "threads" in flags:
        found[flags["threads"].name] = general["threads"]
    if "profile" in general and "profile" in flags and command in _RUNS:
        found[flags["profile"].name] = general["profile"]
    for name, said in configuration.flags.get(command, {}).items():
        parameter = flags.get(name)
        if parameter is None:
            raise ConfigurationError(
                f"{command} has no flag --{name} that could be set for good",
                path=configuration.path,
                expected=one_of(sorted(flags)),
                hint=did_you_mean(name, flags),
            )
        found[parameter.name] = Said(_fitting(parameter, said.value), said.origin)
    for name, parameter in flags.items():
        variable = PREFIX + f"{command} {name}".upper().replace(" ", "_").replace("-", "_")
        text = environment.get(variable)
        if text:
            found[parameter.name] = Said(_fitting(parameter, text), variable)
    return found


def apply_theme(configuration: Configuration) -> None:
    """Have all that draws follow the theme, unless the environment itself says something."""
    said = configuration.general.get("theme")
    if said is None:
        return
    if said.value == "plain":
        os.environ["TERM"] = "dumb"  # which everything that draws asks
    elif said.value == "no-color":
        os.environ.setdefault("NO_COLOR", "1")


def check_commands(configuration: Configuration, known: Sequence[str]) -> None:
    """ConfigurationError for a table that is no command's."""
    for name in configuration.flags:
        if name not in known:
            raise ConfigurationError(
                f"[{name}] is no command",
                path=configuration.path,
                expected=one_of(("aliases", *known)),
                hint=did_you_mean(name, ("aliases", *known)),
            )


def _fitting(parameter: Any, value: Any) -> Any:
    """A flag that may be repeated takes a list; one value is a list of it."""
    several = parameter.multiple or parameter.nargs != 1
    return [value] if several and not isinstance(value, list) else value
