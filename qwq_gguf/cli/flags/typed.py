"""The command that was typed, for the records of what it made."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

__all__ = ["typed_command"]


def typed_command(arguments: Sequence[str]) -> str:
    """What was typed, without a token of the Hub's."""
    kept: list[str] = []
    secret = False
    for argument in arguments:
        if not secret and not argument.startswith("--token="):
            kept.append(argument)
        secret = argument == "--token"
        if secret:
            kept.pop()
    return shlex.join(["qwq-gguf", *kept])
