"""One question before something is changed."""

from __future__ import annotations

import sys

from qwq_gguf.cli.terminal.output import note

__all__ = ["agreed"]


def agreed(question: str, *, yes: bool) -> bool:
    """Whether to go on: `yes` was said before, or a person at a terminal says it now.

    Where nobody can be asked, it is no.
    """
    if yes:
        return True
    try:
        asked = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
    except ValueError:  # closed
        asked = False
    if not asked:
        return False
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        note("")  # Ctrl-D leaves the cursor behind the question
    return answer.strip().lower() in ("y", "yes")
