"""What is installed: this program, llama.cpp, and what that computes on. Nothing is loaded."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Any

from qwq_gguf.errors import LibraryError

__all__ = ["Versions", "versions"]


@dataclass(frozen=True, slots=True)
class Versions:
    """`bindings` is llama-cpp-python's release, None where it is not installed; `backends` are
    what its llama.cpp can compute on.
    """

    program: str
    python: str
    bindings: str | None
    backends: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """All of it, for people."""
        if self.bindings is None:
            made = "llama.cpp: not installed"
        else:
            made = f"llama.cpp of llama-cpp-python {self.bindings}"
            made += f", for {', '.join(self.backends)}" if self.backends else ""
        return (f"qwq-gguf {self.program}", made, f"Python {self.python}")

    def to_json(self) -> dict[str, Any]:
        """All of it as one object."""
        return {
            "schema": "qwq-gguf/version/1",
            "qwq_gguf": self.program,
            "llama_cpp_python": self.bindings,
            "backends": list(self.backends),
            "python": self.python,
        }


def versions() -> Versions:
    """Look; never raises."""
    from qwq_gguf.native import backend_names, bindings_version
    from qwq_gguf.version import __version__

    try:
        backends = backend_names()
    except LibraryError:
        backends = ()
    return Versions(__version__, platform.python_version(), bindings_version(), backends)
