"""What every tool is: a description the model reads, and a function of its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from qwq_gguf.chat.messages import ToolSpec

__all__ = ["Cancellable", "Tool"]


class Tool(Protocol):
    """A function a model may call.

    `run` returns what the model reads as the result. It raises ToolError, with a message
    meant for the model, for arguments it refuses; arguments come from a model, so nothing
    about them can be taken for granted.
    """

    @property
    def spec(self) -> ToolSpec:
        """Name, description and parameters, as the model is told."""
        ...

    def run(self, arguments: Mapping[str, Any]) -> str:
        """Do it."""
        ...


@runtime_checkable
class Cancellable(Tool, Protocol):
    """A tool whose runs can be ended: those that may take seconds."""

    def run_until(self, arguments: Mapping[str, Any], cancelled: Callable[[], bool]) -> str:
        """As `run`, and ends with a ToolError within a second of `cancelled` saying True.

        It is asked in the thread that runs the tool, and is quick.
        """
        ...
