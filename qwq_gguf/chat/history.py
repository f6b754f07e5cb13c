"""What of the earlier turns is sent again.

QwQ's model card asks for histories without thoughts: they are long, and the model was
not trained to read its old ones. Templates that strip them themselves get nothing to
strip.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from qwq_gguf.chat.messages import Message

__all__ = ["answer_only", "without_thoughts"]


def answer_only(text: str, close: str = "</think>") -> str:
    """The text after the last closing tag, its leading newlines taken off.

    Without a closing tag the text is returned as it is: it may be a plain answer.
    """
    _, tag, answer = text.rpartition(close)
    return answer.lstrip("\n") if tag else text


def without_thoughts(
    messages: Iterable[Message], *, close: str = "</think>"
) -> tuple[Message, ...]:
    """The messages with every assistant turn reduced to its answer."""
    return tuple(
        replace(message, content=answer_only(message.content, close), thinking="")
        if message.role == "assistant"
        else message
        for message in messages
    )
