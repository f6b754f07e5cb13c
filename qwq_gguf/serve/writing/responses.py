"""OpenAI's responses: events while they come, or the object at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from qwq_gguf.serve.refusal import Refusal
from qwq_gguf.serve.writing.frames import named_frame
from qwq_gguf.serve.writing.logprobs import output_logprobs
from qwq_gguf.serve.writing.parts import Called, Ended, Part, Said, Thought, Whole
from qwq_gguf.serve.writing.usage import details

__all__ = ["ResponseHead", "ResponseStream", "response_object"]


class ResponseHead:
    """What is the same in every event's response: id, time in seconds, the model's name."""

    def __init__(self, name: str, created: int, model: str) -> None:
        self.name, self.created, self.model = name, created, model

    def to_json(
        self, status: str, output: list[dict[str, Any]], ended: Ended | None = None, cached: int = 0
    ) -> dict[str, Any]:
        """The response so far."""
        cut = status == "incomplete"
        data: dict[str, Any] = {
            "id": self.name,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "instructions": None,
            "metadata": {},
            "model": self.model,
            "output": output,
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "store": False,
            "temperature": None,
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
            "usage": None,
        }
        if ended is not None:
            data |= {"usage": _usage(ended, cached), "qwq_gguf": details(ended)}
        return data


class ResponseStream:
    """The events of one reply: items one after another, each begun, filled and done."""

    def __init__(self, head: ResponseHead, new_id: Callable[[str], str]) -> None:
        self._head, self._new_id = head, new_id
        self._number = -1
        self._output: list[dict[str, Any]] = []
        self._open: type[Part] | None = None
        self._name = ""
        self._text = ""
        self._logprobs: list[dict[str, Any]] = []
        self._ended: Ended | None = None

    def begin(self) -> Iterator[bytes]:
        """The response without output."""
        for kind in ("created", "in_progress"):
            yield self._event(f"response.{kind}", response=self._head.to_json("in_progress", []))

    def part(self, index: int, part: Part) -> Iterator[bytes]:
        """The events of a part."""
        match part:
            case Thought(text, odds) | Said(text, odds):
                yield from self._begin(type(part))
                self._text += text
                kind = "reasoning_text" if isinstance(part, Thought) else "output_text"
                more: dict[str, Any] = {}
                if isinstance(part, Said):
                    more["logprobs"] = output_logprobs(odds)
                    self._logprobs += more["logprobs"]
                yield self._event(f"response.{kind}.delta", **self._where(), delta=text, **more)
            case Called():
                yield from self._done()
                yield from self._call(part)
            case Ended():
                yield from self._done()
                self._ended = part

    def end(self, cached: int) -> Iterator[bytes]:
        """The whole response."""
        assert self._ended is not None, "it has not ended"
        status = _status(self._ended)
        response = self._head.to_json(status, self._output, self._ended, cached)
        yield self._event(f"response.{status}", response=response)

    def failed(self, refusal: Refusal) -> Iterator[bytes]:
        """What went wrong."""
        yield self._event("error", code=refusal.code, message=refusal.message, param=refusal.param)

    def _begin(self, kind: type[Part]) -> Iterator[bytes]:
        """Begin an item of this kind, unless one is open."""
        if self._open is kind:
            return
        yield from self._done()
        thought = kind is Thought
        self._open, self._text, self._logprobs = kind, "", []
        self._name = self._new_id("rs_" if thought else "msg_")
        item = _thought(self._name, None) if thought else _said(self._name, None)
        yield self._event("response.output_item.added", output_index=len(self._output), item=item)
        if not thought:
            yield self._event("response.content_part.added", **self._where(), part=_text(""))

    def _done(self) -> Iterator[bytes]:
        kind, self._open = self._open, None
        if kind is None:
            return
        if kind is Thought:
            yield self._event("response.reasoning_text.done", **self._where(), text=self._text)
            item = _thought(self._name, self._text)
        else:
            where = self._where()
            told = self._logprobs
            done = "response.output_text.done"
            yield self._event(done, **where, text=self._text, logprobs=told)
            part = _text(self._text, told)
            yield self._event("response.content_part.done", **where, part=part)
            item = _said(self._name, self._text, told)
        yield self._item_done(item)

    def _call(self, call: Called) -> Iterator[bytes]:
        self._name = self._new_id("fc_")
        place = {"item_id": self._name, "output_index": len(self._output)}
        begun = _call(self._name, call) | {"arguments": "", "status": "in_progress"}
        yield self._event("response.output_item.added", output_index=len(self._output), item=begun)
        kind = "response.function_call_arguments"
        yield self._event(f"{kind}.delta", **place, delta=call.arguments)
        yield self._event(f"{kind}.done", **place, name=call.name, arguments=call.arguments)
        yield self._item_done(_call(self._name, call))

    def _item_done(self, item: dict[str, Any]) -> bytes:
        self._output.append(item)
        return self._event(
            "response.output_item.done", output_index=len(self._output) - 1, item=item
        )

    def _where(self) -> dict[str, Any]:
        return {"item_id": self._name, "output_index": len(self._output), "content_index": 0}

    def _event(self, kind: str, **data: Any) -> bytes:
        self._number += 1
        return named_frame({"type": kind, "sequence_number": self._number, **data})


def response_object(
    head: ResponseHead, new_id: Callable[[str], str]
) -> Callable[[list[Whole], int], dict[str, Any]]:
    """What makes the whole response of its parts."""

    def made(replies: list[Whole], cached: int) -> dict[str, Any]:
        (reply,) = replies
        output: list[dict[str, Any]] = []
        if reply.thinking:
            output.append(_thought(new_id("rs_"), reply.thinking))
        if reply.answer or not reply.calls:
            told = output_logprobs(reply.answer_odds)
            output.append(_said(new_id("msg_"), reply.answer, told))
        output += (_call(new_id("fc_"), call) for call in reply.calls)
        return head.to_json(_status(reply.end), output, reply.end, cached)

    return made


def _status(ended: Ended) -> str:
    return "incomplete" if ended.cut and not ended.calls else "completed"


def _thought(name: str, text: str | None) -> dict[str, Any]:
    content = [] if text is None else [{"type": "reasoning_text", "text": text}]
    return {"id": name, "type": "reasoning", "summary": [], "content": content}


def _said(name: str, text: str | None, logprobs: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    return {
        "id": name,
        "type": "message",
        "role": "assistant",
        "status": "in_progress" if text is None else "completed",
        "content": [] if text is None else [_text(text, logprobs)],
    }


def _text(text: str, logprobs: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": list(logprobs)}


def _call(name: str, call: Called) -> dict[str, Any]:
    return {
        "id": name,
        "type": "function_call",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        "status": "completed",
    }


def _usage(ended: Ended, cached: int) -> dict[str, Any]:
    response = ended.response
    output = response.thinking_tokens + response.answer_tokens
    return {
        "input_tokens": response.prompt_tokens,
        "input_tokens_details": {"cached_tokens": min(cached, response.prompt_tokens)},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": response.thinking_tokens},
        "total_tokens": response.prompt_tokens + output,
    }
