"""Damage for texts and for JSON values; `support.gguf_fuzz.mutate` has some for bytes."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from typing import Any

from soak_inputs import Trial

__all__ = ["JUNK", "damaged_text", "damaged_value", "endless"]

# Values that stand where another kind, or another size, is meant.
JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1,
    2**31,
    2**63,
    2**70,
    10**400,
    0.5,
    1e308,
    -1e-320,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\ud800",
    "\0",
    "\x1b]0;x\x07",
    "\u202e",
    "../../x",
    "/etc/passwd",
    "{{ 1 }}",
    "a" * 70_000,
    [],
    [None],
    [[]],
    [1, "a"],
    [0] * 5000,
    {},
    {"type": "Sequence"},
    {"content": 5},
    {"": {}},
)
_LONGEST = 300_000  # what is longer takes its time anywhere
_PIECES = (
    "\0", "\n", "\r", "\ud800", "\u202e", "\ufeff", "\x1b[2J", "é", "🐈", "\\", '"', "'", "`", "#",
    "(", ")", "[", "]", "{", "}", "<", ">", "|", "*", "+", "?", "^", "$", ".", ",", ":", ";", "=",
    "-", "_", "%", "0", "1", "9" * 30, "1e999", "-0", "nan", "inf", "true", "null", " ",
)  # fmt: skip


def endless(seed: int, named: str, run: Callable[[int], object]) -> Iterator[Trial]:
    """Trials that need nothing but a seed each."""
    rng = random.Random(seed)
    for number in count():
        yield f"{named} {number}", partial(run, rng.randrange(1 << 62))


def damaged_text(text: str, rng: random.Random, pieces: Sequence[str] = ()) -> str:
    """The text with one to six kinds of damage; `pieces` are what the language is made of."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.choice((1, 1, 2, 8, 40, 400)))
        piece = rng.choice(pieces) if pieces and rng.random() < 0.8 else rng.choice(_PIECES)
        kind = rng.randrange(7)
        if kind == 0:
            text = text[:at] + text[end:]
        elif kind == 1:
            text = text[:at] + piece + text[at:]
        elif kind == 2:
            text = text[:at] + piece + text[end:]
        elif kind == 3:  # a bomb now and then
            text = text[:at] + piece * rng.choice((2, 3, 10, 100, 3000, 20_000)) + text[at:]
        elif kind == 4:
            text = text[:end] + text[at:end] * rng.choice((1, 2, 20)) + text[end:]
        elif kind == 5:
            other = rng.randrange(len(text) + 1)
            text = text[:at] + text[other : other + end - at] + text[end:]
        elif rng.random() < 0.3:
            text = text[:at]
        text = text[:_LONGEST]
    return text


def damaged_value(value: Any, rng: random.Random) -> Any:
    """A copy of a JSON value in which one or two places hold something else, or nothing."""
    changed = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 2))):
        holder, key = _place(changed, rng)
        if holder is None:
            return rng.choice(JUNK)
        kind = rng.randrange(8)
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, list):
            holder[:] = holder * rng.choice((2, 50))
        elif kind == 2:
            other, where = _place(changed, rng)
            # A copy: JSON holds no value within itself.
            holder[key] = copy.deepcopy(None if other is None else other[where])
        elif kind == 3 and isinstance(holder, dict):
            holder[rng.choice(("", "x", "\ud800", "type", "a" * 300))] = holder[key]
        elif kind == 4 and isinstance(holder[key], str):
            holder[key] = damaged_text(holder[key][:5000], rng)
        elif kind == 5 and isinstance(holder[key], int):
            holder[key] += rng.choice((-1, 1, 2**16, 2**32))
        else:
            holder[key] = copy.deepcopy(rng.choice(JUNK))
    return changed


def _place(value: Any, rng: random.Random) -> tuple[Any, Any]:
    """Some value within this one, by its holder and key; shallow ones more often."""
    holder, key = None, None
    while isinstance(value, (dict, list)) and value:
        holder = value
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        value = value[key]
        if rng.random() < 0.3:
            break
    return holder, key
