"""Small facts kept between runs in the user's cache folder, as one JSON file a topic.

They only save work: an unreadable, damaged or unwritable file means that the work is
done again, never an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qwq_gguf.errors import OutputError
from qwq_gguf.outputs import write_file
from qwq_gguf.resources import CACHE_VARIABLE, cache_folder

__all__ = ["CACHE_VARIABLE", "Memory", "cache_folder"]

_MOST_ENTRIES = 500
_MOST_BYTES = 1 << 20


class Memory:
    """A mapping from text keys to small JSON objects that outlives the process."""

    def __init__(self, topic: str, folder: Path | None = None) -> None:
        self._path = (cache_folder() if folder is None else folder) / f"{topic}.json"

    def get(self, key: str) -> Mapping[str, Any] | None:
        """What was put there, or None."""
        value = self._read().get(key)
        return value if isinstance(value, dict) else None

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Remember it; the entries put longest ago are forgotten first."""
        entries = self._read()
        entries.pop(key, None)
        entries[key] = dict(value)
        for old in list(entries)[: max(0, len(entries) - _MOST_ENTRIES)]:
            del entries[old]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Two processes may do this at once: each replaces the file as a whole.
            write_file(self._path, json.dumps(entries), force=True)
        except (OSError, OutputError):
            pass

    def _read(self) -> dict[str, Any]:
        try:
            if self._path.stat().st_size > _MOST_BYTES:
                return {}
            entries = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return entries if isinstance(entries, dict) else {}
