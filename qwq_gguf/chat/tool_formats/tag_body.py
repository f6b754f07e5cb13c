"""Calls whose every argument stands in a tag of its own.

Qwen3-Coder and the Qwens since 3.5, Nemotron 3 and Step 3.5 write:

    <tool_call>
    <function=NAME>
    <parameter=KEY>
    VALUE
    </parameter>
    </function>
    </tool_call>

and GLM since 4.5:

    <tool_call>NAME
    <arg_key>KEY</arg_key>
    <arg_value>VALUE</arg_value>
    </tool_call>

A value is text as it is, whatever its kind: what the tool wants it to be says its schema
(`chat/tool_arguments.py`). Forgotten closing tags are forgiven where the next tag shows the end.
"""

from __future__ import annotations

import re

from qwq_gguf.chat.messages import ToolCall
from qwq_gguf.chat.tool_formats.format import MAX_CALL_CHARS, MAX_CALLS, Body

__all__ = ["begins_glm", "begins_xml", "glm_body", "xml_body"]

_MOST_ARGUMENTS = 64
_CLOSE = "</tool_call>"


def xml_body(text: str, start: int) -> Body:
    """The functions that stand one after another from `start` on."""
    window = text[start : start + MAX_CALL_CHARS]
    calls: list[ToolCall] = []
    errors: list[str] = []
    at = 0
    while len(calls) + len(errors) <= MAX_CALLS:
        function = _FUNCTION.match(window, at)
        if function is None:
            if not calls and not errors:
                errors.append("the tool call has no <function=NAME> behind its tag")
            break
        at = function.end()
        name = function[1].strip().strip("\"'")
        arguments, at = _parameters(window, at)
        if not name:
            errors.append("the tool call names no function: <function=NAME>")
        elif len(arguments) > _MOST_ARGUMENTS:
            errors.append(f"the call of {name[:100]} has more than {_MOST_ARGUMENTS} parameters")
        else:
            calls.append(ToolCall(name, arguments))
    return Body(tuple(calls), tuple(errors), start + at)


def _parameters(text: str, at: int) -> tuple[dict[str, str], int]:
    """The parameters of one function, and the place behind it."""
    arguments: dict[str, str] = {}
    while (opening := _PARAMETER.match(text, at)) and len(arguments) <= _MOST_ARGUMENTS:
        begin = opening.end()
        closing = _PARAMETER_END.search(text, begin)
        end, at = (len(text), len(text)) if closing is None else closing.span()
        following = text.find("\n<parameter=", begin, end)
        if following >= 0:  # this one was not closed
            end = at = following
        arguments[opening[1].strip().strip("\"'")] = _without_line_ends(text[begin:end])
    end_of_function = _FUNCTION_END.match(text, at)
    return arguments, at if end_of_function is None else end_of_function.end()


def _without_line_ends(value: str) -> str:
    """The value without the line ends that stand between it and its tags."""
    return value.removeprefix("\n").removesuffix("\n")


def glm_body(text: str, start: int) -> Body:
    """One call: its name, then keys and values by turns."""
    window = text[start : start + MAX_CALL_CHARS]
    found = _GLM_NAME.match(window)
    if found is None:
        error = "the tool call has no name behind its tag"
        return Body((), (error,), start)
    name, at = found[1], found.end()
    arguments: dict[str, str] = {}
    while (key := _GLM_KEY.match(window, at)) and len(arguments) <= _MOST_ARGUMENTS:
        value = _GLM_VALUE.match(window, key.end())
        if value is None:
            error = f"the argument {key[1].strip()[:100]} of {name} has no <arg_value>"
            return Body((), (error,), start + key.end())
        arguments[key[1].strip()] = _without_line_ends(value[1])
        at = value.end()
    if len(arguments) > _MOST_ARGUMENTS:
        error = f"the call of {name} has more than {_MOST_ARGUMENTS} arguments"
        return Body((), (error,), start + at)
    rest = window[at:].partition(_CLOSE)[0].strip()
    if rest and (not arguments or rest.startswith("<arg_")):
        error = f"the call of {name} cannot be read from {rest[:60]!r} on"
        return Body((), (error,), start + at)
    return Body((ToolCall(name, arguments),), (), start + at)


def begins_xml(body: str) -> bool:
    """Whether a tag is followed by something like `<function=...>`."""
    return body.lstrip().startswith("<function")


def begins_glm(body: str, *, bare_names: bool = True) -> bool:
    """Whether a tag is followed by a name, and by `<arg_key>` unless `bare_names` will do."""
    found = _GLM_NAME.match(body)
    return found is not None and (bare_names or body.startswith("<arg_key>", found.end()))


_FUNCTION = re.compile(r"\s*+<function=([^<>\n]{0,200}+)>")
_FUNCTION_END = re.compile(r"\s*+</function>")
_PARAMETER = re.compile(r"\s*+<parameter=([^<>\n]{0,200}+)>")
# A closing tag inside a value (code, say) is none: a tag must follow, or the end.
_PARAMETER_END = re.compile(
    r"</parameter>(?=\s*+(?:<parameter=|</function>|</(?:\w+:)?tool_call>|\Z))"
    r"|(?=\n?</function>\s*+(?:</(?:\w+:)?tool_call>|\Z))|(?=\n?</(?:\w+:)?tool_call>\s*+\Z)"
)
_GLM_NAME = re.compile(r"\s*+([A-Za-z_][\w.-]{0,199}+)\s*+(?=<|\Z)")
_GLM_KEY = re.compile(r"\s*+<arg_key>([^<]{1,200}+)</arg_key>")
_GLM_VALUE = re.compile(r"\s*+<arg_value>(.*?)</arg_value>", re.DOTALL)
