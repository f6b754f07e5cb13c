"""A tool from an ordinary Python function: its signature and docstring say all of it."""

from __future__ import annotations

import inspect
import json
import re
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from qwq_gguf.chat.messages import ToolSpec
from qwq_gguf.chat.tool_arguments import ArgumentError, fitted
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
        parameters: Schema = {"type": "object", "properties": properties, "required": required}
        self._spec = ToolSpec(name, description, parameters)

    @property
    def spec(self) -> ToolSpec:
        """See `Tool`."""
        return self._spec

    def run(self, arguments: Mapping[str, Any]) -> str:
        """Call the function; ToolError says what the model got wrong."""
        try:
            found = fitted(arguments, self._spec.parameters)
        except ArgumentError as error:
            raise ToolError(str(error)) from None
        given = {name: _as_python(value, self._types[name]) for name, value in found.items()}
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
            if type(None) in get_args(kind):  # null is a value then, and not the same as none
                schema["type"] = [schema["type"], "null"]
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


def _as_python(value: Any, kind: Any) -> Any:
    """A checked value as the function's type has it: JSON knows one kind of number only."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        kind = next(each for each in inner if each is not types.NoneType)
        return None if value is None else _as_python(value, kind)
    if kind is float and isinstance(value, int):
        try:
            return float(value)
        except OverflowError:
            raise ToolError("a number in the arguments is too large") from None
    if isinstance(value, list) and inner:
        return [_as_python(each, inner[0]) for each in value]
    if isinstance(value, Mapping) and inner:
        return {key: _as_python(each, inner[1]) for key, each in value.items()}
    return value


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
