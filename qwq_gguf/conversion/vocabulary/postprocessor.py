"""The post_processor of a tokenizer.json: which tokens it puts around a text.

https://huggingface.co/docs/tokenizers/api/post-processors
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["processors", "special_id", "templates"]


def processors(post_processor: Any) -> Iterator[Mapping[str, Any]]:
    """The processor itself, or each one of a sequence."""
    if not isinstance(post_processor, Mapping):
        return
    parts = post_processor.get("processors")
    for part in parts if isinstance(parts, list) else [post_processor]:
        if isinstance(part, Mapping):
            yield part


def templates(post_processor: Any, name: str = "single") -> Iterator[list[Mapping[str, Any]]]:
    """The `single` or `pair` list of every TemplateProcessing."""
    for part in processors(post_processor):
        if part.get("type") == "TemplateProcessing":
            yield template(part, name)


def template(processor: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """One list of a TemplateProcessing; empty when absent."""
    parts = processor.get(name)
    if not isinstance(parts, list):
        return []
    return [part for part in parts if isinstance(part, Mapping)]


def special_id(part: Mapping[str, Any]) -> str | None:
    """The text of a template's special token; None for a sequence."""
    return _id_of(part, "SpecialToken")


def sequence_id(part: Mapping[str, Any]) -> str | None:
    """The letter of a template's sequence; None for a special token."""
    return _id_of(part, "Sequence")


def _id_of(part: Mapping[str, Any], kind: str) -> str | None:
    inner = part.get(kind)
    value = inner.get("id") if isinstance(inner, Mapping) else None
    return value if isinstance(value, str) and value else None
