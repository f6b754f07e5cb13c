"""What every tool is: a description the model reads, and a function of its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from qwq_gguf.chat.messages import ToolSpec

__all__ = ["Tool"]


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
