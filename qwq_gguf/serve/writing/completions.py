"""OpenAI's completions of a text: chunks while it comes, or the object at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from qwq_gguf.serve.refusal import Refusal
from qwq_gguf.serve.writing.chat import ChatHead
from qwq_gguf.serve.writing.frames import DONE, frame
from qwq_gguf.serve.writing.logprobs import text_logprobs
from qwq_gguf.serve.writing.parts import Ended, Part, Said, Whole
from qwq_gguf.serve.writing.usage import chat_finish, chat_usage

__all__ = ["TextStream", "text_object"]

_KIND = "text_completion"


class TextStream:
    """The chunks of all choices, which come in any order."""

    def __init__(self, head: ChatHead, *, include_usage: bool = False) -> None:
        self._head = head
        self._include_usage = include_usage
        self._ended: dict[int, Ended] = {}
        self._begins: dict[int, int] = {}  # characters of each text so far

    def begin(self) -> Iterator[bytes]:
        """Nothing is said before the text."""
        return iter(())

    def part(self, index: int, part: Part) -> Iterator[bytes]:
        """The chunk of a part of the text of this index."""
        match part:
            case Said(text, odds):
                begin = self._begins.get(index, 0)
                self._begins[index] = begin + len(text)
                yield self._chunk(_choice(index, text, None, text_logprobs(odds, begin)))
            case Ended():
                self._ended[index] = part
                yield self._chunk(_choice(index, "", part))

    def end(self, cached: int) -> Iterator[bytes]:
        """The usage, if it was asked for."""
        if self._include_usage:
            ended = [self._ended[index] for index in sorted(self._ended)]
            usage = chat_usage(ended, cached)
            yield frame({**self._head.to_json(_KIND), "choices": [], "usage": usage})
        yield DONE

    def failed(self, refusal: Refusal) -> Iterator[bytes]:
        """What went wrong."""
        yield frame(refusal.to_openai())

    def _chunk(self, choice: dict[str, Any]) -> bytes:
        return frame({**self._head.to_json(_KIND), "choices": [choice]})


def text_object(head: ChatHead, replies: Sequence[Whole], cached: int) -> dict[str, Any]:
    """The answer to a request that is not streamed."""
    return {
        **head.to_json(_KIND),
        "choices": [
            _choice(index, reply.answer, reply.end, text_logprobs(reply.answer_odds))
            for index, reply in enumerate(replies)
        ],
        "usage": chat_usage([reply.end for reply in replies], cached),
    }


def _choice(
    index: int, text: str, ended: Ended | None, logprobs: dict[str, Any] | None = None
) -> dict[str, Any]:
    finish = None if ended is None else chat_finish(ended)
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}
