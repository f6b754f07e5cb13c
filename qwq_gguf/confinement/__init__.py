"""A child process that can compute, and nothing else."""

from __future__ import annotations

from qwq_gguf.confinement.child import Ended, Ran, run_confined
from qwq_gguf.confinement.fences import Limits

__all__ = ["Ended", "Limits", "Ran", "run_confined"]
