"""What a model may call while it answers."""

from __future__ import annotations

from collections.abc import Iterable

from qwq_gguf.errors import ToolError
from qwq_gguf.tools.base import Tool
from qwq_gguf.tools.calculator import Calculator

__all__ = ["Calculator", "Tool", "tools_named"]

_TOOLS: dict[str, type[Tool]] = {"calculator": Calculator}


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
