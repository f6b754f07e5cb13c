"""What a run of an evaluation is made of, and whether another is the same. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qwq_gguf.words import one_line

__all__ = ["FINGERPRINT", "RUN_SCHEMA", "is_run_record", "run_differences", "run_record"]

RUN_SCHEMA = "qwq-gguf/eval-run/1"

FINGERPRINT = (
    "models",  # each with its name, its file, and a digest of its content
    "suites",  # each with its name, how many questions it has, and a digest of them
    "profiles",  # by name: order and settings of the chain, stops
    "governors",  # by profile and name: keys and values
    "seed",
    "samples",
    "limit",
    "max_tokens",
    "context",
    "effort",
    "append",
    "versions",
)
"""What decides the replies: a run goes on only with one that agrees in all of it."""


def run_record(fingerprint: Mapping[str, Any], made_by: Mapping[str, Any]) -> dict[str, Any]:
    """The first line of a samples file. `made_by` is how it is made this time: command, machine,
    threads; it may be another when the run goes on.
    """
    return {"schema": RUN_SCHEMA, **{name: fingerprint[name] for name in FINGERPRINT}, **made_by}


def is_run_record(raw: object) -> bool:
    """Whether this is the first line of a samples file."""
    return isinstance(raw, Mapping) and raw.get("schema") == RUN_SCHEMA


def run_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In what two runs differ, a sentence each; none where one goes on with the other."""
    return [
        text for name in FINGERPRINT for text in _differences(name, before.get(name), now[name])
    ]


def _differences(name: str, before: Any, now: Any) -> list[str]:
    if before == now:
        return []
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        names = dict.fromkeys((*before, *now))
        return [
            text
            for each in names
            for text in _differences(f"{name}.{each}", before.get(each), now.get(each))
        ]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = enumerate(zip(before, now, strict=True), start=1)
        return [text for number, pair in pairs for text in _differences(f"{name} {number}", *pair)]
    return [f"{name}: {_shown(before)} there, {_shown(now)} here"]


def _shown(value: Any) -> str:
    return "none" if value is None else one_line(str(value), 40)
