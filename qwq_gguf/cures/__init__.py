"""What a runtime on this machine will do wrong with a model as it stands, and the cure for it."""

from __future__ import annotations

from qwq_gguf.cures.running import Running
from qwq_gguf.cures.troubles import Trouble, troubles_of

__all__ = ["Running", "Trouble", "troubles_of"]
