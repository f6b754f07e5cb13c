"""The tokens of texts that are written in a model's own marks: tags, and those of channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwq_gguf.chat.prompt import cut_prompt
from qwq_gguf.chat.sandbox.marked import TRUSTED

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.thinking import ThinkingTags

__all__ = ["marked_tokens", "opening_token"]


def marked_tokens(model: Model, text: str) -> list[int]:
    """The tokens of a text of ours in which what spells a control token is that token."""
    tokens: list[int] = []
    for segment in cut_prompt(text, TRUSTED * len(text), model.control_tokens).segments:
        if segment.control:
            tokens.append(model.control_tokens[segment.text])
        else:
            tokens += model.vocabulary.encode_text(segment.text)
    return tokens


def opening_token(model: Model, tags: ThinkingTags) -> int | None:
    """The token that opens a thought, or begins what does, and nothing else; None without one.

    Channels have none: the mark before a channel's name begins an answer as well.
    """
    if tags.channels is not None:
        return None
    sizes = range(len(tags.open), 0, -1)
    return next((id for n in sizes if (id := model.token_id(tags.open[:n])) is not None), None)
