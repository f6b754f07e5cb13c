"""From a conversion and a recipe to a finished GGUF: a pure plan, then the run of it."""

from __future__ import annotations
