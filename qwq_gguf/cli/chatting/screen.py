"""Which view a reply gets, by where stdout leads."""

from __future__ import annotations

import os
import sys

from qwq_gguf.cli.chatting.shown import ReplyView, Shown

__all__ = ["screen"]


def screen(shown: Shown, *, budget: int | None) -> ReplyView:
    """A view for this terminal, or for a pipe; where TERM is dumb nothing is drawn."""
    from qwq_gguf.cli.chatting.plain import PlainView

    terminal = sys.stdout.isatty()
    if not terminal or os.environ.get("TERM") == "dumb":
        return PlainView(shown=shown, titles=terminal and shown.thoughts, attended=terminal)
    from qwq_gguf.cli.chatting.view import TerminalView
    from qwq_gguf.cli.terminal.output import stdout_console

    return TerminalView(stdout_console(), shown=shown, budget=budget)
