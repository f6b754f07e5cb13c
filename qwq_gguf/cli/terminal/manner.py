"""How the command that runs was asked to speak: in JSON, in few words, in more.

One process runs one command, so this is a value of the process; whoever reads arguments sets it
first. It imports nothing: errors are told by it, also those of imports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Manner", "begin", "manner"]

# Commands with a word of their own behind them.
_TWO_WORDS = ("eval", "export")


@dataclass(slots=True)
class Manner:
    """`json`: one object on stdout, an error too. `quiet`: results and errors only. `verbose`:
    more about what is done. `typed` is the command as it was typed, without its arguments.
    """

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    typed: str = ""


manner = Manner()


def begin(arguments: Sequence[str]) -> None:
    """Forget what was, and look whether JSON is wanted: an error in the flags is told so, too."""
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    words = [word for word in before if not word.startswith("-")]
    manner.json = "--json" in before
    manner.quiet = manner.verbose = False
    manner.typed = " ".join(words[: 2 if words[:1] and words[0] in _TWO_WORDS else 1])
