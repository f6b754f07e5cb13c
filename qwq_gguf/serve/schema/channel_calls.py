"""Calls of tools in channels (gpt-oss) as a grammar of the whole reply.

There a call is a message of its own, and who it is for stands before its words: by the time that
an answer begins, it is none. So the grammar has the marks in it, and the thought before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qwq_gguf.chat.messages import ToolSpec
from qwq_gguf.serve.schema.compiling import Compiler
from qwq_gguf.serve.schema.words import BASE, quoted
from qwq_gguf.thinking import Channels

__all__ = ["channel_calls_grammar"]

# The channel of calls, and what stands between who is called and the words, as gpt-oss has learnt
# it: https://cookbook.openai.com/articles/openai-harmony
_CHANNEL, _KIND = "commentary", " <|constrain|>json"


def channel_calls_grammar(
    channels: Channels, tools: Sequence[ToolSpec], *, thinks: bool, answer: str | None = None
) -> str:
    """GBNF of a thought, if the model wants one and `thinks`, and a call of one of these tools; or
    of an `answer` in the call's place.
    """
    rules: list[str] = []
    calls = [_call(channels, number, tool, rules) for number, tool in enumerate(tools)]
    to = quoted(f"{channels.channel}{_CHANNEL} to={channels.tools}")
    ends = [f"{to} call"]
    if answer is not None:
        answer = answer.replace(BASE, "").replace("root ::=", "answer ::=", 1)
        ends.append(f"{quoted(channels.opening(channels.answer))} answer")
    thought = ""
    if thinks:
        behind = quoted(f"{channels.end}{channels.start}{channels.role}")
        begins = " | ".join(quoted(channels.opening(name)) for name in channels.thought)
        rules.append(f"thought ::= ({begins}) words {behind}")
        rules.append(_words(channels))
        thought = "thought? "
    root = f"root ::= {thought}({' | '.join(ends)})"
    return "\n".join(filter(None, (root, answer, f"call ::= {' | '.join(calls)}", *rules, BASE)))


def _call(channels: Channels, number: int, tool: ToolSpec, rules: list[str]) -> str:
    compiler = Compiler(tool.parameters, tool.name, prefix=f"c{number}-", loose=True)
    properties = tool.parameters.get("properties")
    arguments = "object"
    if isinstance(properties, Mapping) and properties:
        arguments = _object(compiler, tool.parameters)
    elif "additionalProperties" not in tool.parameters:
        arguments = '"{}"'
    head = quoted(f"{tool.name}{_KIND}{channels.message}")
    rule = compiler.rule(f"{head} {arguments}")
    rules += compiler.rules
    return rule


def _object(compiler: Compiler, parameters: Mapping[str, Any]) -> str:
    arguments = compiler.expression()
    if parameters.get("type", "object") != "object" or arguments == "value":
        return "object"  # whatever is said, they are one
    return arguments


def _words(channels: Channels) -> str:
    """Text in which no mark begins, as far as two characters tell: `<|`."""
    begins, second = channels.end[0], channels.end[1:2]
    if not second:
        return f"words ::= [^{begins}]*"
    return f'words ::= ([^{begins}] | "{begins}" [^{second}])*'
