"""A wrong use that was found out behind the command line, as typer reports those of its own."""

from __future__ import annotations

from typing import Any

import typer

from qwq_gguf.errors import QwqGgufError

__all__ = ["Refusal"]


class Refusal(typer.BadParameter):
    """With all that the error knows: what was found and expected, and what to try."""

    def __init__(self, error: QwqGgufError, ctx: Any = None) -> None:
        super().__init__(error.message, ctx)
        self.path, self.found = error.path, error.found
        self.expected, self.hint = error.expected, error.hint

    def format_message(self) -> str:
        """What stands behind `Error:`."""
        return str(
            QwqGgufError(
                self.message,
                path=self.path,
                found=self.found,
                expected=self.expected,
                hint=self.hint,
            )
        )
