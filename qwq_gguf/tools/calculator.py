"""The calculator: exact arithmetic for models that would otherwise do it by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qwq_gguf.chat.messages import ToolSpec
from qwq_gguf.errors import ToolError
from qwq_gguf.tools.arithmetic import evaluate, plain

__all__ = ["Calculator"]

# The demo model is trained on exactly this description.
_SPEC = ToolSpec(
    name="calculator",
    description="Evaluate an arithmetic expression exactly.",
    parameters={
        "type": "object",
        "properties": {"expression": {"type": "string", "description": "For example 12*(3+4)"}},
        "required": ["expression"],
    },
)


class Calculator:
    """Evaluates ``{"expression": "3394*35979"}`` to ``122112726``."""

    @property
    def spec(self) -> ToolSpec:
        """See `Tool`."""
        return _SPEC

    def run(self, arguments: Mapping[str, Any]) -> str:
        """The value as plain decimal text; ToolError says what the model got wrong."""
        expression = arguments.get("expression")
        if isinstance(expression, int | float) and not isinstance(expression, bool):
            expression = str(expression)  # models leave the quotes out now and then
        if not isinstance(expression, str):
            raise ToolError("the argument expression is missing or not text")
        return plain(evaluate(expression))
