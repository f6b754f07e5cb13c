"""Text that is piped into a command which has a prompt already.

Whether there is any is decided by what stdin is, as a stdin that nobody writes to must not be
waited for: a pipe or a file holds text, a terminal, a socket (what some programs leave open for
their children) or /dev/null does not.
"""

from __future__ import annotations

import os
import select
import stat
import sys

import typer

from qwq_gguf.cli.terminal.output import note

__all__ = ["holds_text", "piped_text", "read_all", "with_piped"]

_MOST = 64 << 20  # characters; no context holds as many
_PATIENCE = 2.0  # seconds after which a person wants to know what is waited for


def holds_text(mode: int) -> bool:
    """Whether a stdin of this `st_mode` is one that somebody gave a text."""
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def with_piped(prompt: str, text: str) -> str:
    """The prompt, a blank line, and the text; the prompt alone where there is none."""
    text = text.strip("\n")
    return f"{prompt}\n\n{text}" if text.strip() else prompt


def piped_text() -> str:
    """What is piped in beside a prompt, "" for nothing. Usage error for too much."""
    try:
        descriptor = sys.stdin.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError, AttributeError):  # closed, or not a real file
        return ""
    if not holds_text(mode):
        return ""
    waits = stat.S_ISFIFO(mode) and os.name == "posix"
    if waits and not select.select([descriptor], [], [], _PATIENCE)[0]:
        note("waiting for the text on stdin (</dev/null goes without)")
    return read_all()


def read_all() -> str:
    """All of stdin. Usage error for more than any context holds."""
    text = sys.stdin.read(_MOST + 1)
    if len(text) > _MOST:
        raise typer.BadParameter("the text on stdin is larger than any context")
    return text
