"""Doing what a model has called a tool for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qwq_gguf.chat.events import ToolResult
from qwq_gguf.chat.messages import ToolCall
from qwq_gguf.chat.tool_arguments import ArgumentError, fitted
from qwq_gguf.errors import ToolError
from qwq_gguf.tools.base import Cancellable, Tool
from qwq_gguf.words import did_you_mean

__all__ = ["call_tool"]

_MOST_NAME = 100  # characters of a name that a model made up


def call_tool(
    tools: Mapping[str, Tool], call: ToolCall, cancelled: Callable[[], bool]
) -> ToolResult:
    """What comes of a call; an error is a result too, for the model to read. Once `cancelled`
    says True the running tool is ended, if it can be.
    """
    tool = tools.get(call.name)
    if tool is None:
        named = call.name[:_MOST_NAME]
        known = did_you_mean(named, tools) or f"there are: {', '.join(tools)}"
        return ToolResult(call, f"error: there is no tool {named}; {known}", failed=True)
    try:
        arguments = fitted(call.arguments, tool.spec.parameters)
        if isinstance(tool, Cancellable):
            return ToolResult(call, tool.run_until(arguments, cancelled))
        return ToolResult(call, tool.run(arguments))
    except ArgumentError as error:
        return ToolResult(call, f"error: {error}", failed=True)
    except ToolError as error:
        return ToolResult(call, f"error: {error.message}", failed=True)
    except Exception as error:  # a stranger's tool: its bug must not end the chat
        return ToolResult(call, f"error: the tool failed ({type(error).__name__})", failed=True)
