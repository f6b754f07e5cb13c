"""The entry point of the `qwq-gguf` program.

It imports next to nothing by itself: Ctrl-C has to end the program quietly from the first
moment, and most of that moment is spent importing.
"""

from __future__ import annotations

import os
import sys

from qwq_gguf.cli.terminal.early_interrupt import INTERRUPTED, leave_on_ctrl_c

__all__ = ["main"]


def main() -> None:
    """Run a command and exit with its status.

    0 done, 1 an error that was reported, 2 wrong usage, 130 interrupted, 141 nobody reads on.
    """
    leave_on_ctrl_c()
    try:
        from qwq_gguf.cli.app import run

        status = run()
    except KeyboardInterrupt:  # where Ctrl-C was not left to us
        os._exit(INTERRUPTED)
    sys.exit(status)
