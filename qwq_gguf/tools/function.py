"""A tool from an ordinary Python function: its signature and docstring say all of it."""

from __future__ import annotations

import inspect
import json
import re
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from qwq_gguf.chat.messages import ToolSpec
from qwq_gguf.errors import ToolError, UsageError

__all__ = ["FunctionTool"]

_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_FOR_EXAMPLE = "def price(city: str, nights: int = 1) -> str:"
Schema: TypeAlias = dict[str, Any]


class FunctionTool:
    """Lets a model call a function; a `Tool`.

    The description is the docstring's first paragraph, and that of an argument its line in
    the docstring's `Args:`. Parameters are str, int, float, bool, lists and mappings of such,
    Literal, or one of these or None. What the model passes is checked against them before the
    function is called. What it returns is the result: text as it is, anything else as JSON.

    UsageError for a function that cannot be described so.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        name = getattr(function, "__name__", "")
        if not re.fullmatch(r"[A-Za-z_]\w{0,63}", name, re.ASCII):
            raise UsageError(
                "a tool needs a name that a model can write",
                found=name or type(function).__name__,
                hint=f"write it as {_FOR_EXAMPLE} ...",
            )
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise UsageError(
                f"the tool {name} is asynchronous",
                hint="give an ordinary function, which may call asyncio.run",
            )
        self._function = function
        self._types, properties, required = _parameters(function, name)
        description, arguments = _described(inspect.getdoc(function) or "")
        if not description:
            raise UsageError(
                f"the tool {name} has no docstring, by which a model would know it",
                hint="write one: its first paragraph is what the model reads",
            )
        for argument, schema in properties.items():
            if argument in arguments:
                schema["description"] = arguments[argument]
        self._required = required
        parameters: Schema = {"type": "object", "properties": properties, "required": required}
        self._spec = ToolSpec(name, description, parameters)

    @property
    def spec(self) -> ToolSpec:
        """See `Tool`."""
        return self._spec

    def run(self, arguments: Mapping[str, Any]) -> str:
        """Call the function; ToolError says what the model got wrong."""
        for name in self._required:
            if name not in arguments:
                raise ToolError(f"the argument {name} is missing")
        given = {}
        for name, value in arguments.items():
            if name not in self._types:
                known = ", ".join(self._types) or "none"
                raise ToolError(f"there is no argument {name[:100]}; there are: {known}")
            given[name] = _checked(value, self._types[name], name)
        result = self._function(**given)
        if isinstance(result, str):
            return result
        return json.dumps(result, ensure_ascii=False, default=str)


def _parameters(
    function: Callable[..., Any], name: str
) -> tuple[dict[str, Any], dict[str, Schema], list[str]]:
    """The types of the parameters, their schemas, and which have no default."""
    try:
        signature = inspect.signature(function)
        hints = get_type_hints(function)
    except (NameError, TypeError, ValueError) as problem:
        raise UsageError(f"the signature of the tool {name} cannot be read: {problem}") from None
    kinds: dict[str, Any] = {}
    properties: dict[str, Schema] = {}
    required: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise UsageError(
                f"the tool {name} takes {parameter}, and a model names each argument",
                hint=f"name its parameters: {_FOR_EXAMPLE} ...",
            )
        if parameter.name not in hints:
            raise UsageError(
                f"the parameter {parameter.name} of the tool {name} has no type",
                hint=f"annotate it: {_FOR_EXAMPLE} ...",
            )
        kind = hints[parameter.name]
        schema = _schema(kind)
        if schema is None:
            raise UsageError(
                f"the parameter {parameter.name} of the tool {name} has a type no JSON has",
                found=inspect.formatannotation(kind),
                expected="str, int, float, bool, list[...], dict[str, ...], Literal or ... | None",
            )
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        kinds[parameter.name], properties[parameter.name] = kind, schema
    return kinds, properties, required


def _schema(kind: Any) -> Schema | None:
    """The JSON schema of a type; None where there is none."""
    if kind is Any:
        return {}
    if kind in _NAMES:
        return {"type": _NAMES[kind]}
    origin, inner = get_origin(kind), get_args(kind)
    if kind is list or origin is list:
        items = _schema(inner[0]) if inner else {}
        return None if items is None else {"type": "array", "items": items}
    if kind is dict or origin is dict:
        values = _schema(inner[1]) if inner else {}
        if values is None or (inner and inner[0] is not str):
            return None
        return {"type": "object", "additionalProperties": values}
    if origin is Literal:
        names = {_NAMES.get(type(value)) for value in inner}
        if len(names) != 1 or None in names:
            return None
        return {"type": names.pop(), "enum": list(inner)}
    if origin in (Union, types.UnionType):
        some = [each for each in inner if each is not types.NoneType]
        return _schema(some[0]) if len(some) == 1 else None
    return None


def _checked(value: Any, kind: Any, name: str) -> Any:
    """The value as the function wants it; ToolError where it is something else.

    Models leave quotes out, and put them in, now and then: a number for a text, and a text
    that is a number, are taken.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return _checked(value, next(each for each in inner if each is not types.NoneType), name)
    if origin is Literal:
        if not any(value == each and type(value) is type(each) for each in inner):
            raise ToolError(f"the argument {name} must be one of {json.dumps(inner)}")
        return value
    if (kind is list or origin is list) and isinstance(value, list | tuple):
        return [_checked(each, inner[0] if inner else Any, name) for each in value]
    if (kind is dict or origin is dict) and isinstance(value, Mapping):
        return {
            str(key): _checked(each, inner[1] if inner else Any, name)
            for key, each in value.items()
        }
    if kind is bool and isinstance(value, bool):
        return value
    if kind is str:
        if isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
    if kind in (int, float) and not isinstance(value, bool):
        found = _number(value, kind)
        if found is not None:
            return found
    raise ToolError(f"the argument {name} must be {_said(kind)}")


def _number(value: Any, kind: Any) -> int | float | None:
    if isinstance(value, str) and len(value) > 100:
        return None
    try:
        number = float(value)
        if kind is float:
            return number
        return int(value) if isinstance(value, str | int) else _whole(number)
    except (OverflowError, TypeError, ValueError):
        return None


def _whole(number: float) -> int | None:
    return int(number) if number.is_integer() else None


def _said(kind: Any) -> str:
    schema = _schema(kind) or {}
    return f"of the type {schema.get('type', 'object')}"


def _described(text: str) -> tuple[str, dict[str, str]]:
    """The first paragraph of a docstring, and what its `Args:` say of each argument."""
    first = text.strip().split("\n\n")[0]
    arguments: dict[str, str] = {}
    section = re.search(r"^(?:Args|Arguments|Parameters):[ \t]*\n((?:[ \t]+.*\n?|\n)+)", text, re.M)
    if section is not None:
        last = ""
        for line in section[1].splitlines():
            found = re.match(r"\s+\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)", line)
            if found is not None:
                last = found[1]
                arguments[last] = found[2].strip()
            elif last and line.strip():
                arguments[last] = f"{arguments[last]} {line.strip()}".strip()
    if re.match(r"(?:Args|Arguments|Parameters):\s*$", first.splitlines()[0] if first else ""):
        first = ""
    return " ".join(first.split()), arguments
