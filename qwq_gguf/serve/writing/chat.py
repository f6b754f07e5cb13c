"""OpenAI's chat completions: chunks while it comes, or the object at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qwq_gguf.serve.refusal import Refusal
from qwq_gguf.serve.writing.frames import DONE, frame
from qwq_gguf.serve.writing.logprobs import chat_logprobs
from qwq_gguf.serve.writing.parts import Called, Ended, Part, Said, Thought, Whole
from qwq_gguf.serve.writing.usage import chat_finish, chat_usage, details

__all__ = ["ChatHead", "ChatStream", "chat_object"]


@dataclass(frozen=True, slots=True)
class ChatHead:
    """What is the same in every chunk: id, time in seconds, the model's name."""

    id: str
    created: int
    model: str

    def to_json(self, kind: str) -> dict[str, Any]:
        """The beginning of an object of this kind."""
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


class ChatStream:
    """The chunks of `choices` replies, which come in any order."""

    def __init__(self, head: ChatHead, choices: int = 1, *, include_usage: bool = False) -> None:
        self._head = head
        self._include_usage = include_usage
        self._calls = [0] * choices
        self._ended: dict[int, Ended] = {}

    def begin(self) -> Iterator[bytes]:
        """Who speaks, for each choice."""
        for index in range(len(self._calls)):
            yield self._chunk(index, {"role": "assistant", "content": ""})

    def part(self, index: int, part: Part) -> Iterator[bytes]:
        """The chunks of a part of the reply of this index."""
        match part:
            case Thought(text, odds):
                # Two names are in use, and clients read the one or the other.
                delta = {"reasoning_content": text, "reasoning": text}
                yield self._chunk(index, delta, logprobs=chat_logprobs((), odds))
            case Said(text, odds):
                yield self._chunk(index, {"content": text}, logprobs=chat_logprobs(odds))
            case Called():
                yield from self._call(index, part)
            case Ended():
                self._ended[index] = part
                yield self._chunk(index, {}, part)

    def end(self, cached: int) -> Iterator[bytes]:
        """The usage, if it was asked for."""
        if self._include_usage:
            ended = [self._ended[index] for index in sorted(self._ended)]
            yield frame({**self._start(), "choices": [], "usage": chat_usage(ended, cached)})
        yield DONE

    def failed(self, refusal: Refusal) -> Iterator[bytes]:
        """What went wrong."""
        yield frame(refusal.to_openai())

    def _call(self, index: int, call: Called) -> Iterator[bytes]:
        number, self._calls[index] = self._calls[index], self._calls[index] + 1
        named = {
            "index": number,
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": ""},
        }
        yield self._chunk(index, {"tool_calls": [named]})
        more = {"index": number, "function": {"arguments": call.arguments}}
        yield self._chunk(index, {"tool_calls": [more]})

    def _start(self) -> dict[str, Any]:
        return self._head.to_json("chat.completion.chunk")

    def _chunk(
        self,
        index: int,
        delta: Mapping[str, Any],
        ended: Ended | None = None,
        logprobs: Mapping[str, Any] | None = None,
    ) -> bytes:
        choice: dict[str, Any] = {
            "index": index,
            "delta": dict(delta),
            "logprobs": logprobs,
            "finish_reason": None if ended is None else chat_finish(ended),
        }
        chunk: dict[str, Any] = {**self._start(), "choices": [choice]}
        if ended is not None:
            chunk["qwq_gguf"] = details(ended)
        if self._include_usage:
            chunk["usage"] = None
        return frame(chunk)


def chat_object(head: ChatHead, replies: Sequence[Whole], cached: int = 0) -> dict[str, Any]:
    """The answer to a request that is not streamed."""
    return {
        **head.to_json("chat.completion"),
        "choices": [
            {
                "index": index,
                "message": _message(reply),
                "logprobs": chat_logprobs(reply.answer_odds, reply.thinking_odds),
                "finish_reason": chat_finish(reply.end),
            }
            for index, reply in enumerate(replies)
        ],
        "usage": chat_usage([reply.end for reply in replies], cached),
        "qwq_gguf": details(replies[0].end),
    }


def _message(reply: Whole) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.answer, "refusal": None}
    if reply.thinking:
        message |= {"reasoning_content": reply.thinking, "reasoning": reply.thinking}
    if reply.calls:
        message["content"] = reply.answer or None
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in reply.calls
        ]
    return message
