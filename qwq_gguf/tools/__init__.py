"""What a model may call while it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from qwq_gguf.errors import ToolError, UsageError
from qwq_gguf.tools.base import Tool
from qwq_gguf.tools.calculator import Calculator
from qwq_gguf.tools.function import FunctionTool

__all__ = ["Calculator", "FunctionTool", "Tool", "as_tools", "tool_names", "tools_named"]

_TOOLS: dict[str, type[Tool]] = {"calculator": Calculator}


def tool_names() -> tuple[str, ...]:
    """What `tools_named` knows."""
    return tuple(_TOOLS)


def tools_named(names: Iterable[str]) -> tuple[Tool, ...]:
    """A tool for each name, in order, each once. ToolError names an unknown one."""
    tools = {}
    for name in names:
        if name not in _TOOLS:
            raise ToolError(
                "there is no such tool",
                found=name,
                expected=", ".join(_TOOLS),
                hint="--tools calculator",
            )
        tools[name] = _TOOLS[name]()
    return tuple(tools.values())


def as_tools(given: Iterable[Tool | Callable[..., Any]]) -> tuple[Tool, ...]:
    """Tools as they are, and functions made into some. UsageError for anything else, and for
    two of one name.
    """
    if not isinstance(given, Iterable):
        raise UsageError("tools is a list", found=repr(given)[:60], hint="tools=[my_function]")
    tools: dict[str, Tool] = {}
    for each in given:
        if hasattr(each, "spec") and hasattr(each, "run"):
            tool: Tool = each
        elif callable(each):
            tool = FunctionTool(each)
        else:
            raise UsageError(
                "a tool is a function or a Tool",
                found=repr(each)[:60],
                hint="tools=[my_function]; those that come along are in qwq_gguf.tools",
            )
        if tool.spec.name in tools:
            raise UsageError(f"two tools are called {tool.spec.name}")
        tools[tool.spec.name] = tool
    return tuple(tools.values())
