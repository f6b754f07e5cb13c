"""Changing what a finished GGUF says, its weights untouched: decided first, then written."""

from __future__ import annotations

from qwq_gguf.editing.change import Changed, change_entries
from qwq_gguf.editing.write import Written, blank_unread, locked, write_entries
from qwq_gguf.editing.yarn import stretch

__all__ = [
    "Changed",
    "Written",
    "blank_unread",
    "change_entries",
    "locked",
    "stretch",
    "write_entries",
]
