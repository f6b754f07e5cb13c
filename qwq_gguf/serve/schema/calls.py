"""Calls of tools as grammars: one that has to come, or that may come in an answer's place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qwq_gguf.chat.messages import ToolSpec
from qwq_gguf.chat.tool_formats import CallForm
from qwq_gguf.serve.schema.compiling import Compiler
from qwq_gguf.serve.schema.words import BASE, quoted, quoted_base

__all__ = ["calls_grammar"]

_MOST_CALLS = 16
# A value in tags: no text that may begin its closing tag.
_RAW = 'raw ::= ([^<] | "<" [^/<])*'


def calls_grammar(
    form: CallForm, tools: Sequence[ToolSpec], *, several: bool, answer: str | None = None
) -> str:
    """GBNF of one call or more of these tools; or of them and, in their place, of an `answer`.

    Arguments fit their schemas as far as a grammar can hold these: words that it cannot are left
    out, as tools are described freely and not for grammars. `several` allows more than one call,
    where the model's form does.
    """
    calls = _Calls(form)
    whole = calls.whole(tools, several=several)
    root = f"root ::= {whole}"
    if answer is not None:
        root = f"root ::= {whole} | answer"
        answer = answer.replace(BASE, "").replace("root ::=", "answer ::=", 1)
    quotes = quoted_base(form.quote) if form.quote else ""
    return "\n".join(filter(None, (root, answer, *calls.rules, _RAW, quotes, BASE)))


class _Calls:
    def __init__(self, form: CallForm) -> None:
        self._form = form
        self.rules: list[str] = []

    def whole(self, tools: Sequence[ToolSpec], *, several: bool) -> str:
        form = self._form
        made = [self._call(number, tool) for number, tool in enumerate(tools)]
        self.rules.append(f"call ::= {' | '.join(made)}")
        again = ""
        if several and form.join is not None:
            again = f" ({_then(form.join)} call){{0,{_MOST_CALLS - 1}}}"
        if form.tagged is not None:  # its end is in the call, as it differs without arguments
            return f"call{again}"
        return f"{quoted(form.head)} call{again}{_then(form.tail)}"

    def _call(self, number: int, tool: ToolSpec) -> str:
        quote = self._form.quote
        compiler = Compiler(
            tool.parameters, tool.name, prefix=f"c{number}-", loose=True, quote=quote
        )
        properties = tool.parameters.get("properties")
        empty = not isinstance(properties, Mapping) or not properties
        name = quoted(tool.name)
        if self._form.tagged is not None:
            given = {} if empty else properties
            assert isinstance(given, Mapping)
            body = f"{quoted(self._form.head)} {name} ({self._tagged(compiler, tool, given)})"
        elif empty and "additionalProperties" not in tool.parameters:
            body = f'{name}{_then(self._form.middle)} "{{}}"'
        else:
            arguments = compiler.expression()
            if tool.parameters.get("type", "object") != "object" or arguments == "value":
                arguments = "object"  # whatever is said, they are one
            body = f"{name}{_then(self._form.middle)} {arguments}"
        rule = compiler.rule(body)
        self.rules += compiler.rules
        return rule

    def _tagged(self, compiler: Compiler, tool: ToolSpec, properties: Mapping[str, Any]) -> str:
        """All behind the name: arguments in the schema's order, of which those not required may be
        left out.
        """
        tagged = self._form.tagged
        assert tagged is not None
        required = tool.parameters.get("required")
        needed = set(required) if isinstance(required, list) else set()
        end = quoted(self._form.tail)
        first = None if needed & properties.keys() else quoted(self._form.bare)
        names = sorted(properties) if self._form.by_name else list(properties)
        for name in reversed(names):
            value = self._value(compiler, name, properties[name])
            one = compiler.rule(f"{quoted(name + tagged.equals)} {value}")
            begins = f"{quoted(tagged.first)} {one} {end}"
            follows = f"{quoted(tagged.following)} {one}"
            optional = name not in needed
            first = begins if first is None or not optional else f"{begins} | {first}"
            end = compiler.rule(f"{f'({follows})?' if optional else follows} {end}")
        return first or quoted(self._form.bare)

    def _value(self, compiler: Compiler, name: str, schema: Any) -> str:
        """A text as it is, anything else as JSON."""
        if isinstance(schema, Mapping) and not self._form.quote:
            values = schema.get("enum")
            if (
                isinstance(values, list)
                and values
                and all(isinstance(each, str) for each in values)
            ):
                return compiler.rule(" | ".join(quoted(each) for each in dict.fromkeys(values)))
            if schema.get("type") == "string" and "const" not in schema:
                return "raw"
        return compiler.expression(schema, name)


def _then(text: str) -> str:
    return f" {quoted(text)}" if text else ""
