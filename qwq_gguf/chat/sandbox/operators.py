"""Operators of a template, each bounded before it acts."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from jinja2 import Undefined
from jinja2.exceptions import TemplateRuntimeError

from qwq_gguf.chat.sandbox import marked
from qwq_gguf.chat.sandbox.meter import LimitExceeded, meter, small_int

__all__ = ["BINARY", "UNARY", "concatenate_values", "percent_format", "slice_of", "text_of"]

# Per value in a format: wide enough for any table, too narrow to be a bomb.
MAX_FORMAT_WIDTH = 1000
# repr writes one character as up to ten: \U000e0001
_REPR_FACTOR = 10


def text_of(value: Any) -> str:
    """What a value is when it is printed."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, (bool, int, float, Undefined)):
        return str(value)
    if isinstance(value, (list, tuple, dict)) and meter().is_plain(value):
        meter().afford(_REPR_FACTOR * meter().weight(value))
        return str(value)
    raise TemplateRuntimeError(f"a {type(value).__name__} cannot be printed")


def concatenate_values(values: Sequence[Any]) -> str:
    """`a ~ b ~ c`, and what a block or a macro makes of its pieces."""
    meter().step()
    texts = [text_of(value) for value in values]
    meter().afford(sum(map(len, texts)))
    return marked.concatenate(texts)


def slice_of(value: Any, start: Any, stop: Any, step: Any) -> Any:
    """`value[start:stop:step]`."""
    meter().step()
    key = slice(start, stop, step)
    if isinstance(value, str):
        meter().afford(len(value))
        return marked.cut(value, key)
    if isinstance(value, (list, tuple)):
        meter().afford_items(len(value))
    return meter().value(value[key])


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        meter().afford(len(left) + len(right))
        return marked.add(left, right)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        meter().afford_items(len(left) + len(right))
    elif _is_int(left) and _is_int(right):
        small_int(max(left.bit_length(), right.bit_length()) + 1)
    return left + right


def _multiply(left: Any, right: Any) -> Any:
    if _is_int(left) and _is_int(right):
        small_int(left.bit_length() + right.bit_length())
        return left * right
    for sequence, times in ((left, right), (right, left)):
        if isinstance(sequence, (str, list, tuple)) and _is_int(times):
            times = max(times, 0)
            if isinstance(sequence, str):
                meter().afford(len(sequence) * times)
                return marked.repeat(sequence, times)
            meter().afford_items(len(sequence) * times)
    return left * right


def _power(left: Any, right: Any) -> Any:
    if _is_int(left) and _is_int(right) and right > 0:
        small_int(left.bit_length() * right)
    return left**right


def _modulo(left: Any, right: Any) -> Any:
    return percent_format(left, right) if isinstance(left, str) else left % right


def _is_int(value: object) -> bool:
    return isinstance(value, int)


# Looked for at every percent sign, so that no reading of the text can hide one. Python
# lets a key hold parentheses; here it may not.
_DIRECTIVE = re.compile(r"%(?=(?:\([^()]*\))?[-#0 +]*(\*|\d*)(?:\.(\*|\d*))?)")
_KEY_WITH_PARENTHESES = re.compile(r"%\([^)]*\(")


def percent_format(template: str, values: Any) -> str:
    """`template % values`, without widths given by values or wide enough to hurt."""
    if _KEY_WITH_PARENTHESES.search(template):
        raise LimitExceeded("it formats with a key that holds parentheses")
    size = len(template)
    for match in _DIRECTIVE.finditer(template):
        for width in match.groups():
            if width == "*" or (width and (len(width) > 4 or int(width) > MAX_FORMAT_WIDTH)):
                raise LimitExceeded(f"it formats wider than {MAX_FORMAT_WIDTH} characters")
        size += MAX_FORMAT_WIDTH
    parts = values if isinstance(values, tuple) else (values,)
    for part in parts:
        if not meter().is_plain(part) and not isinstance(part, Undefined):
            raise TemplateRuntimeError(f"a {type(part).__name__} cannot be printed")
    # Each directive may print a whole dict or the same named value again.
    meter().afford(size + _REPR_FACTOR * meter().weight(*parts) * (1 + template.count("%(")))
    result: str = template % values
    return result


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": _add,
    "-": operator.sub,
    "*": _multiply,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": _modulo,
    "**": _power,
}
UNARY: dict[str, Callable[[Any], Any]] = {"+": operator.pos, "-": operator.neg}
