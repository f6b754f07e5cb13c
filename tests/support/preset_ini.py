"""A reader of llama-server's presets that follows the grammar of llama.cpp's common/preset.cpp.

A value goes on to the first `;` or `#` or the line's end, blanks before it not counted.
"""

from __future__ import annotations

import re

__all__ = ["read_preset"]

_SECTION = re.compile(r"\[[ \t]*([^\]]+?)[ \t]*\][ \t]*([;#].*)?")
_PAIR = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*(.*?)[ \t]*([;#].*)?")
_NOTHING = re.compile(r"[ \t]*([;#].*)?")


def read_preset(text: str) -> dict[str, dict[str, str]]:
    """Sections by name; a key that stands twice keeps its last value."""
    found: dict[str, dict[str, str]] = {}
    section = "default"
    for line in re.split("\r\n|\n|\r", text):
        if head := _SECTION.fullmatch(line):
            section = head[1]
            found[section] = {}
        elif pair := _PAIR.fullmatch(line):
            found.setdefault(section, {})[pair[1]] = pair[2]
        else:
            assert _NOTHING.fullmatch(line), f"llama-server refuses {line!r}"
    return found
