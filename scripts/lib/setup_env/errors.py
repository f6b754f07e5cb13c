"""The one error of setting up."""

from __future__ import annotations


class SetupError(Exception):
    """What stands in the way, and what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
