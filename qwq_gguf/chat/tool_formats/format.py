"""How calls stand in an answer, as a value, and the one reader of all such values.

A format says with which texts a call begins and ends, and has a function that reads what
is between them. Where calls begin and end, how many are read, what of a thought is a call
and what is only talk of one: that is the same for all of them, and is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from qwq_gguf.chat.messages import ToolCall, ToolSpec
from qwq_gguf.chat.tool_arguments import ArgumentError, fitted

__all__ = ["MAX_CALLS", "MAX_CALL_CHARS", "Body", "ParsedAnswer", "ReadBody", "ToolFormat"]

MAX_CALLS = 16
MAX_CALL_CHARS = 64 * 1024
_MOST_WORDS = 256  # characters between tags that are no call, and yet were meant as one
_MOST_TAGS = 256  # at the end of a thought; more are no calls that anybody meant


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """`text` is the answer around the calls, `errors` says what was wrong with others."""

    text: str
    calls: tuple[ToolCall, ...]
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Body:
    """What stands in one block: its calls, what was wrong with others, and the place after."""

    calls: tuple[ToolCall, ...]
    errors: tuple[str, ...]
    end: int


# How a call begins that has no opening. One with more before it is text that shows one.
_WHOLE = tuple(
    f"{fence}{brace}{quote}name{quote}"
    for fence in ("", "```json\n", "```\n")
    for brace in ("{", "{ ", "{\n  ", "{\n    ")
    for quote in ('"', "'")
)
ReadBody: TypeAlias = Callable[[str, int], Body]
"""Reads an answer from a place on: behind an opening text, or at one that is part of the call."""


@dataclass(frozen=True, slots=True)
class _Block:
    """From an opening text to its closing one, or to where that must have been forgotten."""

    start: int
    end: int
    calls: tuple[ToolCall, ...]
    errors: tuple[str, ...]
    meant: bool  # to be a call: not the tag alone, mentioned in passing


@dataclass(frozen=True, slots=True)
class ToolFormat:
    """How one family of models writes calls.

    `openings` are the texts that stand before a call, `close` the one behind it, empty where
    calls end by themselves. `bare` are texts that begin a call and are part of it. `wrappers`
    stand around all calls of an answer, and mean nothing. `leads`: a bare call is one only
    where the answer begins with it. `begun` says whether what follows an opening looks like
    a call. `whole_body` reads an answer that is a call without any opening, as small models
    write it. `tools`, once known, tell which names and kinds there are (see `knowing`).
    """

    name: str
    read_body: ReadBody
    begun: Callable[[str], bool]
    openings: tuple[str, ...] = ()
    close: str = ""
    bare: tuple[str, ...] = ()
    wrappers: tuple[str, ...] = ()
    leads: bool = False
    whole_body: ReadBody | None = None
    tools: tuple[ToolSpec, ...] = ()

    @property
    def watched(self) -> tuple[str, ...]:
        """The texts from which on an answer may be a call."""
        return (*self.wrappers, *self.openings, *self.bare)

    @property
    def held(self) -> tuple[str, ...]:
        """The texts from which on an answer is not shown before it is clear what it is."""
        return self.watched if self.whole_body is None else (*self.watched, *_WHOLE)

    def writes(self, text: str) -> bool:
        """Whether a call in this text is written the format's own way, and not a cousin's."""
        if any(each in text for each in self.bare):
            return True
        found = (text.partition(each)[2] for each in self.openings if each in text)
        return any(map(self.begun, found))

    def knowing(self, tools: Sequence[ToolSpec]) -> ToolFormat:
        """The format for an answer by a model that was offered these tools."""
        return replace(self, tools=tuple(tools))

    def parse(self, answer: str) -> ParsedAnswer:
        """Take the tool calls out of an answer, in their order."""
        texts: list[str] = []
        calls: list[ToolCall] = []
        errors: list[str] = []
        position = 0
        for block in self._blocks(answer):
            texts.append(answer[position : block.start])
            calls += block.calls
            errors += block.errors
            position = block.end
            if len(calls) + len(errors) > MAX_CALLS:
                del errors[MAX_CALLS:]
                errors.append(f"only the first {MAX_CALLS} tool calls of an answer are run")
                position = len(answer)
                break
        texts.append(answer[position:])
        text = "".join(texts)
        if calls or errors:
            for wrapper in self.wrappers:
                text = text.replace(wrapper, "")
        if not calls and not errors and (whole := self._whole(answer)):
            text, calls = "", list(whole)
        found = tuple(self._fit(call) for call in calls[:MAX_CALLS])
        return ParsedAnswer(text.strip(), found, tuple(errors))

    def trailing_calls(self, thought: str) -> int | None:
        """Where the tool calls begin that end this text; None if it does not end in any.

        For a turn that ended inside its thought: what it said last was a call then. A tag
        that the thought mentions before it goes on is none.
        """
        begin = len(thought)
        for _ in range(_MOST_TAGS):
            before = max(thought.rfind(text, 0, begin) for text in self.watched)
            if before < 0:
                break
            begin = before
        first, end = None, begin
        for block in self._blocks(thought, begin):
            if not block.meant:
                first = None
            elif first is None or self._said(thought[end : block.start]):
                first = block.start
            end = block.end
        if first is None or self._said(thought[end:]):
            return None
        for wrapper in self.wrappers:  # they stand before the first
            before = thought.rfind(wrapper, 0, first)
            if before >= 0 and not self._said(thought[before:first]):
                first = before
        return first

    def span(self, answer: str) -> tuple[int, int] | None:
        """Where the calls of an answer begin and end, with their wrappers; None without calls."""
        blocks = [block for block in self._blocks(answer) if block.calls]
        if not blocks:
            return None
        start, end = blocks[0].start, blocks[-1].end
        for wrapper in self.wrappers:
            before = answer.rfind(wrapper, 0, start)
            if before >= 0 and not self._said(answer[before:start]):
                start = before
            after = answer.find(wrapper, end)
            if after >= 0 and not self._said(answer[end:after]):
                end = after + len(wrapper)
        return start, end

    def may_be_last(self, text: str) -> bool:
        """Whether a text that begins with a watched one may become calls and nothing else."""
        if len(text) > MAX_CALL_CHARS:
            return False
        if self.close:
            _, closed, tail = text.rpartition(self.close)
            if closed:
                return self._may_follow(tail.strip())
        opening = next((each for each in self.watched if text.startswith(each)), "")
        body = text if opening in self.bare else text[len(opening) :]
        if opening in self.wrappers and body.strip():
            return self._may_follow(body.strip())
        return len(text) - len(opening) <= _MOST_WORDS or self.begun(body)

    def _may_follow(self, tail: str) -> bool:
        """Whether this may stand behind a call, or a wrapper, and become nothing but calls."""
        for wrapper in self.wrappers:
            tail = tail.replace(wrapper, "").strip()
        if any(each.startswith(tail) for each in self.watched):
            return True
        return any(tail.startswith(each) for each in self.watched) and self.may_be_last(tail)

    def _said(self, text: str) -> str:
        for wrapper in self.wrappers:
            text = text.replace(wrapper, "")
        return text.strip()

    def _whole(self, answer: str) -> tuple[ToolCall, ...]:
        """The calls of an answer that is nothing but calls of known tools, in a fence perhaps."""
        if self.whole_body is None or not answer.lstrip().startswith(("{", "[", "```")):
            return ()
        body = self.whole_body(answer, 0)
        known = {tool.name for tool in self.tools}
        if body.errors or answer[body.end :].strip("`}]; \n"):
            return ()
        return body.calls if all(call.name in known for call in body.calls) else ()

    def _fit(self, call: ToolCall) -> ToolCall:
        """Its arguments in the kinds that its tool has them in, as far as they can be."""
        for tool in self.tools:
            if tool.name == call.name:
                try:
                    return replace(call, arguments=fitted(call.arguments, tool.parameters))
                except ArgumentError:
                    break  # whoever runs the tool says so
        return call

    def _next(self, text: str, position: int) -> tuple[int, str] | None:
        """The next opening, bare or not, and its place."""
        found = [(text.find(each, position), each) for each in (*self.openings, *self.bare)]
        return min((each for each in found if each[0] >= 0), default=None)

    def _blocks(self, text: str, position: int = 0) -> Iterator[_Block]:
        while (found := self._next(text, position)) is not None:
            start, opening = found
            if opening in self.bare:
                block = self._bare_block(text, start, opening)
            else:
                block = self._block(text, start, start + len(opening))
            position = start + len(opening) if block is None else block.end
            if block is not None:
                yield block

    def _bare_block(self, text: str, start: int, opening: str) -> _Block | None:
        """A call without an opening before it; None where it is none."""
        if self.leads and text[:start].strip():
            return None
        body = self.read_body(text, start)
        if not body.calls and not body.errors:
            return None
        end = max(body.end, start + len(opening))
        rest = text[end:].lstrip()
        if self.close and rest.startswith(self.close):
            end = len(text) - len(rest) + len(self.close)
        return _Block(start, end, body.calls, body.errors, meant=True)

    def _block(self, text: str, start: int, inner: int) -> _Block:
        body = self.read_body(text, inner)
        close = text.find(self.close, body.end) if self.close else -1
        after = self._next(text, body.end)
        following = -1 if after is None else after[0]
        closed = close >= 0 and (following < 0 or close < following)
        if closed:
            end = close + len(self.close)
        elif self.close or not body.calls:
            end = following if following >= 0 else len(text)
        else:
            end = body.end
        inside = text[inner : close if closed else end]
        if closed:
            meant = len(inside) <= _MOST_WORDS or self.begun(inside)
        else:
            # Words behind a call that was not closed: it was only an example.
            words = self._said(text[body.end : end].lstrip(" \n\t,;}])`")) if body.calls else ""
            meant = self.begun(inside) and not words
        return _Block(start, end, body.calls, body.errors, meant)
