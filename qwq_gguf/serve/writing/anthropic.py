"""Anthropic's messages: events while they come, or the object at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from qwq_gguf.serve.refusal import Refusal
from qwq_gguf.serve.writing.frames import named_frame
from qwq_gguf.serve.writing.parts import Called, Ended, Part, Said, Thought, Whole
from qwq_gguf.serve.writing.usage import details

__all__ = ["AnthropicStream", "message_object"]

# Anthropic signs thoughts. Clients send the signature back and some want one to be there.
_UNSIGNED = "unsigned"


class AnthropicStream:
    """The events of one reply: blocks one after another, each opened and closed."""

    def __init__(self, name: str, model: str) -> None:
        self._name, self._model = name, model
        self._index = -1
        self._open: type[Part] | None = None
        self._ended: Ended | None = None

    def begin(self) -> Iterator[bytes]:
        """The message without content. What its prompt cost is told at the end."""
        message = _message(self._name, self._model, [], None, _usage(None, 0))
        yield named_frame({"type": "message_start", "message": message})

    def part(self, index: int, part: Part) -> Iterator[bytes]:
        """The events of a part."""
        match part:
            case Thought(text=text):
                yield from self._block(
                    Thought, {"type": "thinking", "thinking": "", "signature": ""}
                )
                yield self._delta({"type": "thinking_delta", "thinking": text})
            case Said(text=text):
                yield from self._block(Said, {"type": "text", "text": ""})
                yield self._delta({"type": "text_delta", "text": text})
            case Called(number, name, arguments):
                yield from self._close()
                block = {"type": "tool_use", "id": number, "name": name, "input": {}}
                yield from self._block(Called, block)
                yield self._delta({"type": "input_json_delta", "partial_json": arguments})
                yield from self._close()
            case Ended():
                yield from self._close()
                self._ended = part

    def end(self, cached: int) -> Iterator[bytes]:
        """Why it ended, and what it cost."""
        ended = self._ended
        assert ended is not None, "it has not ended"
        yield named_frame(
            {
                "type": "message_delta",
                "delta": {"stop_reason": _stop_reason(ended), "stop_sequence": None},
                "usage": _usage(ended, cached),
                "qwq_gguf": details(ended),
            }
        )
        yield named_frame({"type": "message_stop"})

    def failed(self, refusal: Refusal) -> Iterator[bytes]:
        """What went wrong."""
        yield named_frame(refusal.to_anthropic())

    def _block(self, kind: type[Part], block: dict[str, Any]) -> Iterator[bytes]:
        """Open a block of this kind, unless one is."""
        if self._open is kind:
            return
        yield from self._close()
        self._index += 1
        self._open = kind
        yield named_frame(
            {"type": "content_block_start", "index": self._index, "content_block": block}
        )

    def _close(self) -> Iterator[bytes]:
        if self._open is None:
            return
        if self._open is Thought:
            yield self._delta({"type": "signature_delta", "signature": _UNSIGNED})
        self._open = None
        yield named_frame({"type": "content_block_stop", "index": self._index})

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return named_frame({"type": "content_block_delta", "index": self._index, "delta": delta})


def message_object(name: str, model: str) -> Callable[[list[Whole], int], dict[str, Any]]:
    """What makes the whole message of its parts."""

    def made(replies: list[Whole], cached: int) -> dict[str, Any]:
        (reply,) = replies
        content: list[dict[str, Any]] = []
        if reply.thinking:
            content.append({"type": "thinking", "thinking": reply.thinking, "signature": _UNSIGNED})
        if reply.answer or not reply.calls:
            content.append({"type": "text", "text": reply.answer})
        content += (
            {"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call)}
            for call in reply.calls
        )
        message = _message(name, model, content, _stop_reason(reply.end), _usage(reply.end, cached))
        return {**message, "qwq_gguf": details(reply.end)}

    return made


def _message(
    name: str, model: str, content: list[dict[str, Any]], stop: str | None, usage: dict[str, int]
) -> dict[str, Any]:
    return {
        "id": name,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }


def _input(call: Called) -> Any:
    return json.loads(call.arguments)


def _stop_reason(ended: Ended) -> str:
    if ended.calls:
        return "tool_use"
    return "max_tokens" if ended.cut else "end_turn"


def _usage(ended: Ended | None, cached: int) -> dict[str, int]:
    """Anthropic counts what was reused apart."""
    if ended is None:
        return {"input_tokens": 0, "output_tokens": 0}
    response = ended.response
    cached = min(cached, response.prompt_tokens)
    return {
        "input_tokens": response.prompt_tokens - cached,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": response.thinking_tokens + response.answer_tokens,
    }
