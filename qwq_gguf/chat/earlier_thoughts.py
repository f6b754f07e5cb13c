"""What of the earlier turns is sent again.

QwQ's model card asks for histories without thoughts: they are long, and the model was
not trained to read its old ones. Later models want those of the turn that is still going on,
between its calls. A template that looks for thoughts in a field knows which, so it gets all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from qwq_gguf.chat.messages import Message

__all__ = ["answer_only", "with_thoughts", "with_thoughts_in_text", "without_thoughts"]


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
        replace(message, content=answer_only(message.content, close), thinking="", thought_in=())
        if message.role == "assistant"
        else message
        for message in messages
    )


def with_thoughts(
    messages: Iterable[Message], field: str, *, close: str = "</think>"
) -> tuple[Message, ...]:
    """The messages with every assistant turn's thought in a field, and none in its text."""
    return tuple(
        replace(message, content=answer_only(message.content, close), thought_in=(field,))
        if message.role == "assistant"
        else message
        for message in messages
    )


def with_thoughts_in_text(
    messages: Iterable[Message], *, open: str, close: str
) -> tuple[Message, ...]:
    """The messages with every assistant turn's thought between tags, in front of its text."""
    return tuple(
        replace(
            message,
            content=f"{open}\n{message.thinking}\n{close}\n\n{message.content}",
            thinking="",
            thought_in=(),
        )
        if message.role == "assistant" and message.thinking
        else message
        for message in messages
    )
