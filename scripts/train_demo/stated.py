"""What a training text states: every two numbers that it joins by a sign, or compares.

Read from the text itself, questions, tool calls and each line of work alike, so that a new way
of writing thoughts cannot slip by. A question counts even if no answer follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from qwq_gguf.evaluation.suites.equivalence import comparison, operation

_GROUPED = re.compile(r"(?<=\d),(?=\d{3})")
_OPERATION = re.compile(r"(\d+) ?([*+/-]) ?(\d+)")
_NUMBER = r"(\d+(?:\.\d+)?)"
_COMPARISON = re.compile(rf"{_NUMBER} (?:and (?=[\d.]+:)|or (?=[\d.]+\?)|[<>] ){_NUMBER}")


def stated(text: str) -> Iterator[str]:
    """The contents (as of evaluation/suites/equivalence.py) that `text` states, some repeatedly."""
    text = _GROUPED.sub("", text)
    for a, sign, b in _OPERATION.findall(text):
        yield operation(int(a), sign, int(b))
    for a, b in _COMPARISON.findall(text):
        yield comparison(a, b)
