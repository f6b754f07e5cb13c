"""The `[governor]` of a profile's TOML, and single keys of it as a flag has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from qwq_gguf.errors import ProfileError
from qwq_gguf.thinking import Governor
from qwq_gguf.toml_table import Table, toml_table

__all__ = ["governor_settings", "read_governor", "with_governor_settings"]

_WHOLE = ("budget", "reserve")
_SWITCHES = ("loops", "answers")
_NUMBERS = ("seconds", "wind_down", "wind_down_bias", "hesitation_penalty", "margin")
# Those that can be none at all, said as false.
_OPTIONAL = ("budget", "seconds", "wind_down", "margin")


def read_governor(table: Table) -> Governor:
    """The governor of a profile; keys that are left out are as `Governor` has them."""
    table.only((*Governor.names(), "source"))
    table.text("source")
    return Governor(**_values(table))


def governor_settings(text: str) -> dict[str, Any]:
    """`KEY=VALUE`, the value as TOML has it; a message may do without its quotes.

    ProfileError for what is no key or no value of it.
    """
    key, equals, value = text.partition("=")
    key, value = key.strip().replace("-", "_"), value.strip()
    table = Table({key: None}, ProfileError, where="governor.")
    table.only(Governor.names())
    if not equals or not value:
        table.refuse(f"governor.{key} has no value", text[:80], f"{key}=VALUE")
    if key == "message" and not value.startswith(('"', "'")):
        value = json.dumps(value)
    read = toml_table(f"[governor]\n{key} = {value}\n", "setting", ProfileError)
    values = read.table("governor")
    values.only((key,))
    return _values(values)


def with_governor_settings(governor: Governor, settings: Mapping[str, Any]) -> Governor:
    """A governor with single keys replaced. ProfileError for unknown ones and wrong values."""
    table = Table(settings, ProfileError, where="governor.")
    table.only(Governor.names())
    given = {key: False if value is None else value for key, value in settings.items()}
    return replace(governor, **_values(Table(given, ProfileError, where="governor.")))


def _values(table: Table) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in table.values:
        if key in _OPTIONAL and table.values[key] is False:
            found[key] = None
        elif key in _WHOLE:
            found[key] = table.whole(key)
        elif key in _NUMBERS:
            found[key] = table.number(key)
        elif key in _SWITCHES:
            found[key] = table.flag(key)
        elif key == "message":
            found[key] = "" if table.values[key] in ("", False) else table.text(key)
    return found
