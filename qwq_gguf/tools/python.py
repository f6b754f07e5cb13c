"""Python for a model: its programs run in a child that can compute and print, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qwq_gguf.chat.messages import ToolSpec
from qwq_gguf.confinement import Ended, Limits, Ran, run_confined
from qwq_gguf.errors import ToolError

__all__ = ["Python"]

_MOST_CODE = 64 * 1024
_MOST_SHOWN = 8_000  # characters of the output: what a context can bear
_SPEC = ToolSpec(
    name="python",
    description=(
        "Run a Python program and read what it prints, and the value of its last line. It starts "
        "afresh each time, with the standard library, without files and network, for 10 seconds "
        "at most."
    ),
    parameters={
        "type": "object",
        "properties": {"code": {"type": "string", "description": "For example: sum(range(10))"}},
        "required": ["code"],
    },
)


class Python:
    """Runs ``{"code": "2**100"}``. Only for those who ask for it by name: no model gets it unasked.

    What holds such a program is in docs/security.md.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        """ToolError where programs cannot be confined: then there is no such tool."""
        self._limits = limits or Limits()
        run_confined("", self._limits)

    @property
    def spec(self) -> ToolSpec:
        """See `Tool`."""
        return _SPEC

    def run(self, arguments: Mapping[str, Any]) -> str:
        """What the program printed; ToolError with that and the reason where it failed."""
        return self.run_until(arguments, lambda: False)

    def run_until(self, arguments: Mapping[str, Any], cancelled: Callable[[], bool]) -> str:
        """The same; see `Cancellable`."""
        code = arguments.get("code")
        if not isinstance(code, str) or not code.strip():
            raise ToolError("the argument code is missing or not text")
        if len(code) > _MOST_CODE:
            raise ToolError(f"the program is longer than {_MOST_CODE} characters")
        return _said(run_confined(_bare(code), self._limits, cancelled=cancelled), self._limits)


def _bare(code: str) -> str:
    """The program without a code fence around it."""
    lines = code.strip("\n").splitlines()
    if len(lines) > 1 and lines[0].startswith("```") and lines[-1].strip() == "```":
        return "\n".join(lines[1:-1])
    return code


def _said(ran: Ran, limits: Limits) -> str:
    printed = _shortened(ran.output.strip("\n"))
    match ran.ended:
        case Ended.DONE:
            return printed or "(the program ended and printed nothing)"
        case Ended.FAILED:
            raise ToolError(printed or "the program ended with a status that is not 0")
        case Ended.TIME:
            why = f"the program was stopped after {limits.seconds} seconds"
        case Ended.OUTPUT:
            why = f"the program was stopped: it printed more than {limits.output:,} bytes"
        case Ended.SIGNAL:
            why = f"the program was ended by {ran.signal}"
        case Ended.CANCELLED:
            why = "the program was stopped: nobody waits for it any more"
    raise ToolError(f"{why}; it had printed:\n{printed}" if printed else why)


def _shortened(text: str) -> str:
    """Beginning and end of what is too long: an error's last line says what it was."""
    if len(text) <= _MOST_SHOWN:
        return text
    half = _MOST_SHOWN // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half:,} characters left out ...]\n{text[-half:]}"
