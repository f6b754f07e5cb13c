"""The front matter of a model card: the YAML between two lines of `---` in README.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qwq_gguf.files.reading import read_file

__all__ = ["read_card"]

# PyYAML reads some 100 KB a second, and brackets within brackets in quadratic time.
_MAX_BYTES = 64 * 1024
_MAX_BRACKETS = 1_000


def read_card(path: Path) -> dict[str, Any]:
    """Front matter as text, lists and mappings; empty when there is none, or a broken one.

    Scalars stay the text they are: no "no" turns into False (Norway's language code), no
    version 1.10 into 1.1. A card is decoration, so nothing in it stops a conversion.
    """
    lines = _front_matter(path)
    if not lines or sum(line.count("[") + line.count("{") for line in lines) > _MAX_BRACKETS:
        return {}

    import yaml  # type: ignore[import-untyped]

    # YAML forbids tabs for indentation, cards contain them all the same.
    content = "\n".join(lines).replace("\t", "  ")
    try:
        # A dozen aliases of aliases can stand for a billion nodes.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(content)):
            return {}
        value = yaml.load(content, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    if not isinstance(value, dict):
        return {}
    return {key: entry for key, entry in value.items() if isinstance(key, str)}


def _front_matter(path: Path) -> list[str]:
    try:
        content = read_file(path, _MAX_BYTES)[:_MAX_BYTES]
    except OSError:
        return []
    lines = content.decode("utf-8-sig", "replace").splitlines()
    if not lines or lines[0] != "---":
        return []
    try:
        end = lines.index("---", 1)
    except ValueError:
        return []
    return lines[1:end]
