"""The programs that have a say in the bytes of a result."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from qwq_gguf.quantization.kernels.ggml import load_ggml
from qwq_gguf.version import __version__

__all__ = ["tool_versions"]


def tool_versions() -> dict[str, str]:
    """Their versions, by name."""
    found = {"qwq-gguf": __version__, "ggml": load_ggml().version}
    for name in ("llama-cpp-python", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # put beside the package without its records
            found[name] = "unknown"
    return found
