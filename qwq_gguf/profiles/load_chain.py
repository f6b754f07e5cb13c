"""The `[chain]` of a profile's TOML: an order, and a table a setting."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from qwq_gguf.files.reading import read_file
from qwq_gguf.sampling import SamplerChain
from qwq_gguf.sampling.constraints import Biases
from qwq_gguf.sampling.gbnf import MAX_BYTES
from qwq_gguf.sampling.settings import SETTINGS, SettingValue
from qwq_gguf.toml_table import Table
from qwq_gguf.words import human_bytes

__all__ = ["read_chain"]


def read_chain(
    table: Table, folder: Path | None
) -> tuple[SamplerChain, dict[str, SettingValue], dict[str, str]]:
    """The chain, the settings as they stand there, and their sources.

    `folder` is the one in which the files lie that the profile names. ProfileError, or
    ChainError, with the key at fault.
    """
    table.only(("order", "source", *SETTINGS))
    order = table.texts("order")
    sources = {"order": table.text("source")}
    given: dict[str, SettingValue] = {}
    for name in table.values:
        if name not in SETTINGS:
            continue
        entry = table.table(name)
        given[name] = _value(name, entry, folder)
        sources[name] = entry.text("source")
    chain = SamplerChain.from_settings(order, given)
    for name in chain.settings():
        sources.setdefault(name, "the stage's default")
    # Idle numbers are checked as well: they are somebody's intention.
    chain.idle_settings(given)
    return chain, given, sources


def _value(name: str, entry: Table, folder: Path | None) -> SettingValue:
    if name == "grammar" and "file" in entry:
        entry.only(("file", "source"))
        return _file_text(entry, folder)
    entry.only(("value", "source"))
    if "value" not in entry:
        entry.refuse(f"chain.{name} has no value")
    value: Any = entry.values["value"]
    if name == "logit_bias":
        return _biases(entry, value)
    if isinstance(value, list):
        return entry.texts("value")
    kept: SettingValue = value  # its stage knows what it may be
    return kept


def _biases(entry: Table, value: object) -> Biases:
    """As llama-server takes them: pairs of a token and a number, or false to forbid it."""
    expected = 'a token and a number: ["Wait", -2.0]'
    if not isinstance(value, list):
        entry.wrong("value", "must be a list of pairs", expected)
    biases = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            entry.refuse(f"{entry.where}value must be a list of pairs", repr(pair)[:80], expected)
        token, bias = pair
        biases.append((token, -math.inf if bias is False else bias))
    return tuple(biases)


def _file_text(entry: Table, folder: Path | None) -> str:
    """A grammar's file, which cannot lie outside the profile's folder."""
    told, name = entry.text("file"), f"{entry.where}file"
    if folder is None:
        entry.refuse(f"{name}: a profile without a folder cannot name files", told)
    root = folder.resolve()
    try:
        path = (root / told).resolve()
        inside = path.is_relative_to(root) and path.is_file()
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside:
        entry.refuse(
            f"{name} leads to no file within the profile's folder", told, f"a file below {root}"
        )
    try:
        raw = read_file(path, MAX_BYTES)
        if len(raw) > MAX_BYTES:
            entry.refuse(f"{name}: too large", told, f"at most {human_bytes(MAX_BYTES)}")
        return raw.decode("utf-8")
    except OSError as error:
        entry.refuse(f"{name} cannot be read", f"{told}: {error.strerror or error}")
    except UnicodeDecodeError:
        entry.refuse(f"{name} is not UTF-8 text", told)
