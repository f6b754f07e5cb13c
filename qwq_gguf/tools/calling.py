"""Doing what a model has called a tool for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from qwq_gguf.chat.events import Note, Response, ToolCallStarted, ToolResult
from qwq_gguf.chat.messages import Message, ToolCall
from qwq_gguf.chat.tool_arguments import ArgumentError, fitted
from qwq_gguf.errors import ToolError
from qwq_gguf.tools.base import Tool
from qwq_gguf.words import did_you_mean

__all__ = ["call_tool", "use_tools"]

_MOST_NAME = 100  # characters of a name that a model made up


def use_tools(
    tools: Mapping[str, Tool], response: Response, turn: list[Message]
) -> Iterator[ToolCallStarted | ToolResult | Note]:
    """Do all calls of a response, and let the model read results and errors in `turn`."""
    for call in response.calls:
        yield ToolCallStarted(call)
        result = call_tool(tools, call)
        yield result
        turn.append(Message("tool", result.content, name=call.name))
    for error in response.unread:
        yield Note(f"a tool call could not be read: {error}")
        turn.append(Message("tool", f"error: {error}"))


def call_tool(tools: Mapping[str, Tool], call: ToolCall) -> ToolResult:
    """What comes of a call; an error is a result too, for the model to read."""
    tool = tools.get(call.name)
    if tool is None:
        named = call.name[:_MOST_NAME]
        known = did_you_mean(named, tools) or f"there are: {', '.join(tools)}"
        return ToolResult(call, f"error: there is no tool {named}; {known}", failed=True)
    try:
        return ToolResult(call, tool.run(fitted(call.arguments, tool.spec.parameters)))
    except ArgumentError as error:
        return ToolResult(call, f"error: {error}", failed=True)
    except ToolError as error:
        return ToolResult(call, f"error: {error.message}", failed=True)
    except Exception as error:  # a stranger's tool: its bug must not end the chat
        return ToolResult(call, f"error: the tool failed ({type(error).__name__})", failed=True)
