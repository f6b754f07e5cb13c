"""The `[chain]` of a profile's TOML: an order, and a table a setting."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qwq_gguf.errors import ProfileError
from qwq_gguf.files import read_file
from qwq_gguf.profiles.toml_values import only, table_of, text_of, texts_of
from qwq_gguf.sampling import SamplerChain
from qwq_gguf.sampling.constraints import Biases
from qwq_gguf.sampling.gbnf import MAX_BYTES
from qwq_gguf.sampling.settings import SETTINGS, SettingValue

__all__ = ["read_chain"]


def read_chain(
    table: Mapping[str, Any], folder: Path | None
) -> tuple[SamplerChain, dict[str, SettingValue], dict[str, str]]:
    """The chain, the settings as they stand there, and their sources.

    `folder` is the one in which the files lie that the profile names. ProfileError, or
    ChainError, with the key at fault.
    """
    only("chain.", table, ("order", "source", *SETTINGS))
    order = texts_of("chain.order", table.get("order"))
    sources = {"order": text_of("chain.source", table.get("source"))}
    given: dict[str, SettingValue] = {}
    for name in table:
        if name not in SETTINGS:
            continue
        entry = table_of(f"chain.{name}", table[name])
        given[name] = _value(name, entry, folder)
        sources[name] = text_of(f"chain.{name}.source", entry.get("source"))
    chain = SamplerChain.from_settings(order, given)
    for name in chain.settings():
        sources.setdefault(name, "the stage's default")
    # Idle numbers are checked as well: they are somebody's intention.
    chain.idle_settings(given)
    return chain, given, sources


def _value(name: str, entry: Mapping[str, Any], folder: Path | None) -> SettingValue:
    if name == "grammar" and "file" in entry:
        only(f"chain.{name}.", entry, ("file", "source"))
        return _file_text(f"chain.{name}.file", entry["file"], folder)
    only(f"chain.{name}.", entry, ("value", "source"))
    if "value" not in entry:
        raise ProfileError(f"chain.{name} has no value")
    value: Any = entry["value"]
    if name == "logit_bias":
        return _biases(f"chain.{name}.value", value)
    if isinstance(value, list):
        return texts_of(f"chain.{name}.value", value)
    kept: SettingValue = value  # its stage knows what it may be
    return kept


def _biases(name: str, value: object) -> Biases:
    """As llama-server takes them: pairs of a token and a number, or false to forbid it."""
    if not isinstance(value, list):
        raise ProfileError(f"{name} must be a list of pairs", found=repr(value)[:80])
    biases = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ProfileError(
                f"{name} must be a list of pairs",
                found=repr(pair)[:80],
                expected='a token and a number: ["Wait", -2.0]',
            )
        token, bias = pair
        biases.append((token, -math.inf if bias is False else bias))
    return tuple(biases)


def _file_text(name: str, value: object, folder: Path | None) -> str:
    """A grammar's file, which cannot lie outside the profile's folder."""
    told = text_of(name, value)
    if folder is None:
        raise ProfileError(f"{name}: a profile without a folder cannot name files", found=told)
    root = folder.resolve()
    try:
        path = (root / told).resolve()
        inside = path.is_relative_to(root) and path.is_file()
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside:
        raise ProfileError(
            f"{name} leads to no file within the profile's folder",
            found=told,
            expected=f"a file below {root}",
        )
    try:
        raw = read_file(path, MAX_BYTES)
        if len(raw) > MAX_BYTES:
            raise ProfileError(f"{name}: too large", found=told, expected=f"{MAX_BYTES} bytes")
        return raw.decode("utf-8")
    except OSError as error:
        raise ProfileError(
            f"{name} cannot be read", found=f"{told}: {error.strerror or error}"
        ) from None
    except UnicodeDecodeError:
        raise ProfileError(f"{name} is not UTF-8 text", found=told) from None
