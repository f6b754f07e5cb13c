"""The grader `bfcl`: calls against possible answers, by the Berkeley leaderboard's rules. Pure.

A call is right when it names the function, gives every argument that is asked for, none that is
not, and each has one of its possible values ("" among those: it may be left out). Texts compare
without case, blanks and most marks; a whole number does for a decimal, and not the other way
round. Several calls may come in any order. Source: what the leaderboard says of its
evaluation by syntax tree,
https://gorilla.cs.berkeley.edu/blogs/8_berkeley_function_calling_leaderboard.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from qwq_gguf.evaluation.questions import Grade

__all__ = ["grade_calls", "grade_called"]

_MARKS = re.compile(r"[ ,./\-_*^'\"()]")


class _Call(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def arguments(self) -> Mapping[str, Any]: ...


def grade_calls(expected: Mapping[str, Any], calls: Sequence[_Call]) -> Grade:
    """Compare `calls` with ``expected["calls"]``, each once."""
    shown = json.dumps([{call.name: dict(call.arguments)} for call in calls], default=str)
    found = shown if calls else None
    wanted: Sequence[Mapping[str, Any]] = expected["calls"]
    if len(calls) != len(wanted):
        return Grade(False, found, f"{len(calls)} calls, not {len(wanted)}")
    left = list(wanted)
    for call in calls:
        reasons = [_why_not(call, possible) for possible in left]
        if None not in reasons:
            return Grade(False, found, reasons[0])
        del left[reasons.index(None)]
    return Grade(True, found)


def grade_called(expected: Mapping[str, Any], calls: Sequence[_Call]) -> Grade | None:
    """Why not all tools were called that should be, None where they were. Arguments count only
    where some are named, and more calls do no harm.
    """
    for wanted in expected["calls"]:
        times = wanted.get("times", 1)
        fitting = [
            call
            for call in calls
            if call.name == wanted["name"]
            and all(call.arguments.get(k) == v for k, v in wanted.get("arguments", {}).items())
        ]
        if len(fitting) < times:
            return Grade(False, None, f"{wanted['name']} was called {len(fitting)} times")
    return None


def _why_not(call: _Call, possible: Mapping[str, Any]) -> str | None:
    (name, arguments) = next(iter(possible.items()))
    if call.name != name:
        return f"{call.name} is not {name}"
    for argument in call.arguments:
        if argument not in arguments:
            return f"{name} was given {argument}"
    for argument, values in arguments.items():
        if argument not in call.arguments:
            if "" not in values:
                return f"{name} was not given {argument}"
        elif not any(_same(call.arguments[argument], value) for value in values):
            return f"{argument} is {str(call.arguments[argument])[:80]}"
    return None


def _same(given: Any, wanted: Any) -> bool:
    if isinstance(given, bool) or isinstance(wanted, bool):
        return given is wanted
    if isinstance(given, str) and isinstance(wanted, str):
        return _MARKS.sub("", given).lower() == _MARKS.sub("", wanted).lower()
    if isinstance(wanted, float) and isinstance(given, int | float):
        return given == wanted
    if isinstance(given, list | tuple) and isinstance(wanted, list | tuple):
        return len(given) == len(wanted) and all(map(_same, given, wanted))
    if isinstance(given, Mapping) and isinstance(wanted, Mapping):
        # Each value of a mapping has its own possible ones.
        return all(key in wanted for key in given) and all(
            any(_same(given[key], value) for value in _several(values))
            if key in given
            else "" in _several(values)
            for key, values in wanted.items()
        )
    return type(given) is type(wanted) and bool(given == wanted)


def _several(values: Any) -> Sequence[Any]:
    return values if isinstance(values, list) else [values]
