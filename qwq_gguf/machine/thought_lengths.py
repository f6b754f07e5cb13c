"""How long models think, from what was published: a data file, each entry with its source.

What was measured here counts more: `jobs/measured_thoughts.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from qwq_gguf.errors import UsageError
from qwq_gguf.resources import machine_data
from qwq_gguf.toml_table import read_toml, toml_table

__all__ = ["NO_THOUGHT", "ThoughtLength", "thought_length"]

_MOST_BYTES = 1 << 16
_EVERY = "*"


@dataclass(frozen=True, slots=True)
class ThoughtLength:
    """Tokens of a typical and of a long thought, and who says so."""

    typical: int
    long: int
    source: str


NO_THOUGHT = ThoughtLength(500, 2000, "a model that does not think: an answer, a long answer")


def thought_length(profile: str, model: str = "") -> ThoughtLength:
    """That of a model which this profile fits, and which calls itself so."""
    for profiles, models, length in _lengths():
        if (model in models) if models else (profile in profiles or _EVERY in profiles):
            return length
    raise UsageError("the table of thoughts has no entry for all others")


@cache
def _lengths() -> tuple[tuple[tuple[str, ...], tuple[str, ...], ThoughtLength], ...]:
    text = read_toml(
        machine_data("thought_lengths.toml"), _MOST_BYTES, "table of thoughts", UsageError
    )
    return tuple(
        (
            entry.texts("profiles") if "profiles" in entry else (),
            entry.texts("models") if "models" in entry else (),
            ThoughtLength(entry.whole("typical"), entry.whole("long"), entry.text("source")),
        )
        for entry in toml_table(text, "table", UsageError).tables("length")
    )
