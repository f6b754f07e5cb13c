"""Tools from a user's own Python file: the functions that are named become some.

The file is run, as `python FILE` would run it; it is the user's, and named by the user.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from qwq_gguf.errors import QwqGgufError, UsageError
from qwq_gguf.tools.function import FunctionTool
from qwq_gguf.words import did_you_mean, message_of, some

__all__ = ["functions_in", "load_tools_file", "tool_in"]


def load_tools_file(path: Path) -> ModuleType:
    """Run the file as a module. UsageError where there is none, or where it fails."""
    if not path.is_file():
        folder = path.parent if path.parent.is_dir() else Path()
        there = sorted(each.name for each in folder.glob("*.py"))
        raise UsageError(
            "there is no such file of tools",
            path=path,
            expected=some(there) or None,
            hint="--tools FILE.py:FUNCTION",
        )
    name = f"qwq_gguf_tools_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError("this is no Python file", path=path, hint="--tools FILE.py:FUNCTION")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # Behind all others, so that a file of tools finds its neighbours and hides nothing.
    beside = str(path.resolve().parent)
    if beside not in sys.path:
        sys.path.append(beside)
    try:
        spec.loader.exec_module(module)
    except QwqGgufError:
        raise
    except SyntaxError as error:
        raise UsageError(
            "this file of tools is no Python", path=path, found=f"{error.msg}, line {error.lineno}"
        ) from None
    except (Exception, SystemExit) as error:
        raise UsageError(
            "this file of tools cannot be run",
            path=path,
            found=f"{type(error).__name__}: {message_of(str(error))}",
        ) from error
    return module


def functions_in(module: ModuleType) -> tuple[str, ...]:
    """The names of the functions that the file itself defines, in their order."""
    return tuple(
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and not name.startswith("_") and _defined_in(value, module)
    )


def tool_in(module: ModuleType, name: str, path: Path) -> FunctionTool:
    """The function of that name as a tool. UsageError says which there are."""
    function = vars(module).get(name)
    there = functions_in(module)
    if function is None or not callable(function):
        near = did_you_mean(name, there)
        raise UsageError(
            f"there is no function {name} in this file" + (f"; {near}" if near else ""),
            path=path,
            expected=some(there) or "def name(argument: type) -> type, with a docstring",
        )
    try:
        return FunctionTool(function)
    except UsageError as error:
        error.path = str(path)
        raise


def _defined_in(value: Any, module: ModuleType) -> bool:
    return bool(getattr(value, "__module__", None) == module.__name__)
