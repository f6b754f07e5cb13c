"""What has to be said so that a thought is closed and the answer comes next."""

from __future__ import annotations

from qwq_gguf.thinking.tags import ThinkingTags

__all__ = ["closing_of"]


def closing_of(tags: ThinkingTags) -> str:
    """The text, control tokens spelled out, that leads from a thought to its answer."""
    return tags.close
