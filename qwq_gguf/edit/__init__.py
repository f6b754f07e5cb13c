"""Changing what a finished GGUF says, its weights untouched: decided first, then written."""

from __future__ import annotations

from qwq_gguf.edit.change import Changed, change_entries
from qwq_gguf.edit.write import Written, write_entries
from qwq_gguf.edit.yarn import stretch

__all__ = ["Changed", "Written", "change_entries", "stretch", "write_entries"]
