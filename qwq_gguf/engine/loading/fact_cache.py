"""Small facts kept between runs in the user's cache folder, as one JSON file a topic.

They only save work: an unreadable, damaged or unwritable file, or a folder in which others
could have written, means that the work is done again, never an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qwq_gguf.errors import OutputError
from qwq_gguf.files.writing import write_file
from qwq_gguf.json_text import parse_json
from qwq_gguf.resources import CACHE_VARIABLE, cache_folder, own_cache, read_own

__all__ = ["CACHE_VARIABLE", "Memory", "cache_folder"]

_MOST_ENTRIES = 500
_MOST_BYTES = 1 << 20


class Memory:
    """A mapping from text keys to small JSON objects that outlives the process."""

    def __init__(self, topic: str, folder: Path | None = None) -> None:
        folder = own_cache(root=folder)
        self._path = None if folder is None else folder / f"{topic}.json"

    def get(self, key: str) -> Mapping[str, Any] | None:
        """What was put there, or None."""
        value = self._read().get(key)
        return value if isinstance(value, dict) else None

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Remember it; the entries put longest ago are forgotten first."""
        path = self._path
        if path is None:
            return
        entries = self._read()
        entries.pop(key, None)
        entries[key] = dict(value)
        for old in list(entries)[: max(0, len(entries) - _MOST_ENTRIES)]:
            del entries[old]
        try:
            # Two processes may do this at once: each replaces the file as a whole.
            write_file(path, json.dumps(entries), force=True)
        except (OSError, OutputError):
            pass

    def _read(self) -> dict[str, Any]:
        if self._path is None:
            return {}
        try:
            raw = read_own(self._path, _MOST_BYTES)
            entries = None if raw is None else parse_json(raw)
        except (OSError, ValueError):
            return {}
        return entries if isinstance(entries, dict) else {}
