"""What a model may call while it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from qwq_gguf.errors import ToolError, UsageError
from qwq_gguf.tools.base import Cancellable, Tool
from qwq_gguf.tools.calculator import Calculator
from qwq_gguf.tools.date import Date
from qwq_gguf.tools.from_file import functions_in, load_tools_file, tool_in
from qwq_gguf.tools.function import FunctionTool
from qwq_gguf.tools.python import Python
from qwq_gguf.words import did_you_mean

__all__ = [
    "TOOLS",
    "Calculator",
    "Cancellable",
    "Date",
    "FunctionTool",
    "Python",
    "Tool",
    "as_tools",
    "tool_names",
    "tools_named",
]

TOOLS: dict[str, Callable[[], Tool]] = {"calculator": Calculator, "date": Date, "python": Python}
"""Those that come along, by name."""


def tool_names() -> tuple[str, ...]:
    """What `tools_named` knows."""
    return tuple(TOOLS)


def tools_named(names: Iterable[str]) -> tuple[Tool, ...]:
    """A tool for each name, in order, each once.

    A name is one of `TOOLS`, or `FILE.py:FUNCTION` with a function of that file; names behind it
    are looked for in the same file first. ToolError for an unknown name, and for python where its
    programs cannot be confined; UsageError for a file or function that is not there, and for two
    tools of one name.
    """
    tools: dict[str, Tool] = {}
    seen: set[tuple[str, str]] = set()
    for key, make in _asked(names):
        if key in seen:
            continue
        seen.add(key)
        tool = make()
        if tool.spec.name in tools:
            raise UsageError(f"two tools are called {tool.spec.name}")
        tools[tool.spec.name] = tool
    return tuple(tools.values())


def _asked(names: Iterable[str]) -> Iterator[tuple[tuple[str, str], Callable[[], Tool]]]:
    """Each tool that is asked for: what tells it from others, and how it is made."""
    path, module = Path(), None
    for name in names:
        before, is_file, function = name.rpartition(".py:")
        if is_file or name.endswith(".py"):
            path = Path(f"{before}.py" if is_file else name).expanduser()
            module = load_tools_file(path)
            name = function if is_file else ""
        if module is not None and not name:
            there = functions_in(module)
            raise UsageError(
                "which function of this file is to be a tool?",
                path=path,
                expected=", ".join(there) or "a function with types and a docstring",
                hint=f"--tools {path}:{there[0] if there else 'FUNCTION'}",
            )
        if module is not None and (name in vars(module) or name not in TOOLS):
            yield (str(path), name), partial(tool_in, module, name, path)
        elif name in TOOLS:
            yield ("", name), TOOLS[name]
        else:
            near = did_you_mean(name, TOOLS)
            raise ToolError(
                "there is no such tool" + (f"; {near}" if near else ""),
                found=name,
                expected=f"{', '.join(TOOLS)}, or FILE.py:FUNCTION",
                hint="--tools calculator",
            )


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
