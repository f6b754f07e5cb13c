"""The filters of a template, each bounded before it acts.

Those that only pick and order what is there are Jinja's own behind a check of what they
return; those that make something new are written here. Filters no chat template needs
(html, urls, word wrapping, random) are left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jinja2 import pass_context
from jinja2.exceptions import FilterArgumentError, TemplateRuntimeError
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.runtime import Context

from qwq_gguf.chat.sandbox import marked
from qwq_gguf.chat.sandbox.meter import LimitExceeded, meter, small_int
from qwq_gguf.chat.sandbox.methods import STRING_METHODS, replace_text
from qwq_gguf.chat.sandbox.operators import percent_format, text_of

__all__ = ["FILTERS", "original_name"]

_MAX_INDENT = 64
_MAX_COLUMNS = 1000
_MAX_DIGITS = 50
_MAX_INT_CHARS = 600
# JSON writes one character as up to six: \u001f
_JSON_FACTOR = 6


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as Transformers' templates get it: no HTML escapes, no ASCII escapes."""
    if not meter().is_plain(value):
        raise TemplateRuntimeError(f"a {type(value).__name__} has no JSON form")
    measure = meter().measure(value)
    per_item = _JSON_FACTOR
    if indent is not None:
        per_item += measure.nesting * _indent_width(indent)
    for separator in separators or ():
        per_item += len(separator)
    meter().afford(per_item * measure.weight)
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _indent_width(width: int | str) -> int:
    columns = len(width) if isinstance(width, str) else width
    if columns > _MAX_INDENT:
        raise LimitExceeded(f"it indents by more than {_MAX_INDENT} characters")
    return columns


def _indent(value: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    text = text_of(value)
    _indent_width(width)
    margin = width if isinstance(width, str) else " " * width
    lines: list[str] = STRING_METHODS["splitlines"](marked.add(text, "\n"))
    meter().afford(len(text) + len(lines) * (len(margin) + 1))
    indented = [
        marked.concatenate((margin, line)) if (number or first) and (line or blank) else line
        for number, line in enumerate(lines)
    ]
    return marked.join("\n", indented)


def _join(environment: Any, value: Any, d: Any = "", attribute: str | int | None = None) -> str:
    if attribute is not None:
        value = (environment.getitem(item, attribute) for item in value)
    parts = [text_of(item) for item in meter().drawn(value)]
    separator = text_of(d)
    meter().afford(sum(map(len, parts)) + len(separator) * len(parts))
    return marked.join(separator, parts)


def _replace(value: Any, old: Any, new: Any, count: int | None = None) -> str:
    return replace_text(text_of(value), text_of(old), text_of(new), -1 if count is None else count)


def _trim(value: Any, chars: str | None = None) -> str:
    return marked.strip(text_of(value), chars)


def _string(value: Any) -> str:
    return text_of(value)


def _case(method: str) -> Callable[[Any], str]:
    return lambda value: STRING_METHODS[method](text_of(value))


def _title(value: Any) -> str:
    # Jinja's own: words begin after spaces, dashes and brackets, not after apostrophes.
    text = text_of(value)
    meter().afford_items(len(text) // 2)
    return marked.change_case(text, JINJA_FILTERS["title"])


def _int(value: Any, default: Any = 0, base: int = 10) -> Any:
    if isinstance(value, str) and len(value) > _MAX_INT_CHARS:
        raise LimitExceeded(f"it reads a number of more than {_MAX_INT_CHARS} digits")
    return JINJA_FILTERS["int"](value, default, base)


def _length(value: Any) -> int:
    return len(value)


def _list(value: Any) -> list[Any]:
    return meter().drawn(value)


def _sum(
    environment: Any, value: Any, attribute: str | int | None = None, start: float = 0
) -> float:
    total = start
    for item in meter().drawn(value):
        number = item if attribute is None else environment.getitem(item, attribute)
        if not isinstance(number, (int, float)):
            raise FilterArgumentError("sum: every item must be a number")
        total += number
        if isinstance(total, int):
            small_int(total.bit_length())
    return total


def _round(value: float, precision: Any = 0, method: str = "common") -> float:
    if not isinstance(precision, int) or abs(precision) > _MAX_DIGITS:
        raise FilterArgumentError(f"round: precision must be at most {_MAX_DIGITS}")
    result: float = JINJA_FILTERS["round"](value, precision, method)
    return result


def _format(value: Any, *args: Any, **kwargs: Any) -> str:
    if args and kwargs:
        raise FilterArgumentError("format: give either positions or names")
    return percent_format(text_of(value), kwargs or args)


def _columns(name: str) -> Callable[..., Any]:
    @pass_context
    def arranged(context: Context, value: Any, count: int, fill_with: Any = None) -> Any:
        if not 1 <= count <= _MAX_COLUMNS:
            raise LimitExceeded(f"it asks {name} for more than {_MAX_COLUMNS} columns")
        return _from_jinja(name)(context, value, count, fill_with)

    return arranged


def _identity(value: Any) -> Any:
    return value


def _from_ours(function: Callable[..., Any]) -> Callable[..., Any]:
    @pass_context  # also keeps Jinja from running it while it compiles
    def run(_context: Context, *args: Any, **kwargs: Any) -> Any:
        meter().step()
        return meter().value(function(*args, **kwargs))

    return run


def _with_environment(function: Callable[..., Any]) -> Callable[..., Any]:
    @pass_context
    def run(context: Context, *args: Any, **kwargs: Any) -> Any:
        meter().step()
        return meter().value(function(context.environment, *args, **kwargs))

    return run


def _from_jinja(name: str) -> Callable[..., Any]:
    @pass_context
    def run(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        meter().step()
        environment: Any = context.environment
        result = environment.call_original(name, value, args, kwargs, context)
        if isinstance(result, Iterator):
            result = meter().drawn(result)
        return meter().value(result)

    return run


def original_name(name: str) -> str:
    """What Jinja's own filter is called here; the colon keeps templates from writing it."""
    return f"jinja:{name}"


_FROM_JINJA = (
    *("abs", "attr", "d", "default", "dictsort", "first", "float", "items"),
    *("last", "map", "max", "min", "reject", "rejectattr", "reverse", "select", "selectattr"),
    *("sort", "truncate", "unique"),
)
_COLUMNS = ("batch", "slice")
_FROM_OURS: Mapping[str, Callable[..., Any]] = {
    "capitalize": _case("capitalize"),
    "count": _length,
    "format": _format,
    "indent": _indent,
    "int": _int,
    "length": _length,
    "list": _list,
    "lower": _case("lower"),
    "replace": _replace,
    "round": _round,
    "safe": _identity,
    "string": _string,
    "title": _title,
    "tojson": _tojson,
    "trim": _trim,
    "upper": _case("upper"),
}
FILTERS: Mapping[str, Callable[..., Any]] = {
    **{original_name(name): JINJA_FILTERS[name] for name in (*_FROM_JINJA, *_COLUMNS)},
    **{name: _from_jinja(name) for name in _FROM_JINJA},
    **{name: _columns(name) for name in _COLUMNS},
    **{name: _from_ours(function) for name, function in _FROM_OURS.items()},
    "join": _with_environment(_join),
    "sum": _with_environment(_sum),
}
