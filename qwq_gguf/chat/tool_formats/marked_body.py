"""Calls whose texts stand between marks, as Gemma 4 writes them:

call:NAME{city:<|"|>Paris<|"|>,days:3,where:{sure:true}}

Names of arguments have no quotes; numbers, true, false and lists are as in JSON.
"""

from __future__ import annotations

import re
from typing import Any

from qwq_gguf.chat.loose_json import MAX_NESTING, read_json
from qwq_gguf.chat.messages import ToolCall
from qwq_gguf.chat.tool_formats.format import MAX_CALL_CHARS, Body
from qwq_gguf.chat.tool_formats.json_body import begins_json, json_calls

__all__ = ["begins_marked", "marked_body"]

_MARK = '<|"|>'
_HEAD = re.compile(r"\s*+(?:call:)?+\s*+([\w.-]{1,200}+)\s*+(?=\{)")
_BEGUN = re.compile(r"\s*+call:\s*+[\w.-]")
_NAME = re.compile(r"[^:{}\[\],\"'<]{1,200}+")
_WORD = re.compile(r"[^,{}\[\]<]{1,2000}+")
_SPACE = re.compile(r"\s*+")
_HALF = re.compile("[\ud800-\udfff]")


def marked_body(text: str, start: int) -> Body:
    """`call:NAME{...}`, or JSON, as a model may write it that knows other formats."""
    window = text[start : start + MAX_CALL_CHARS]
    if begins_json(window):
        return json_calls(text, start)
    head = _HEAD.match(window)
    if head is None:
        return Body((), ("the tool call has no call:NAME{ behind its tag",), start)
    reader = _Reader(window, head.end())
    try:
        arguments = reader.mapping(0)
        if _HALF.search(window, head.end(), reader.at):
            raise ValueError("a text in it has half of a surrogate pair")
    except (ValueError, IndexError) as error:
        why = str(error) if isinstance(error, ValueError) else "it ends too soon"
        message = f"the arguments of {head[1]} cannot be read: {why}"
        return Body((), (message,), start + reader.at)
    return Body((ToolCall(head[1], arguments),), (), start + reader.at)


def begins_marked(body: str) -> bool:
    """Whether an opening is followed by a call, or by JSON."""
    return begins_json(body) or _BEGUN.match(body) is not None


class _Reader:
    """Reads values from a place on. ValueError with words for the model, IndexError at the end."""

    def __init__(self, text: str, at: int) -> None:
        self._text = text
        self.at = at

    def mapping(self, nesting: int) -> dict[str, Any]:
        """What stands between braces."""
        found: dict[str, Any] = {}
        self.at += 1
        while not self._ended("}"):
            key = self._key()
            if self._next() != ":":
                raise ValueError(f"no : behind {key[:40]!r}")
            self.at += 1
            found[key] = self._value(nesting + 1)
        return found

    def _list(self, nesting: int) -> list[Any]:
        found: list[Any] = []
        self.at += 1
        while not self._ended("]"):
            found.append(self._value(nesting + 1))
        return found

    def _value(self, nesting: int) -> Any:
        if nesting > MAX_NESTING:
            raise ValueError("it nests too deeply")
        match self._next():
            case "{":
                return self.mapping(nesting)
            case "[":
                return self._list(nesting)
            case "<":
                return self._marked()
        try:
            value, self.at = read_json(self._text, self.at)
        except ValueError:
            # A text without its marks, up to what ends it.
            word = _WORD.match(self._text, self.at)
            if word is None:
                raise
            self.at = word.end()
            return word[0].strip()
        return value

    def _key(self) -> str:
        if self._next() == "<":
            return self._marked()
        if self._next() in "\"'":
            value, self.at = read_json(self._text, self.at)
            return str(value)
        name = _NAME.match(self._text, self.at)
        if name is None:
            raise ValueError(f"no name of an argument at {self._text[self.at : self.at + 20]!r}")
        self.at = name.end()
        return name[0].strip()

    def _marked(self) -> str:
        if not self._text.startswith(_MARK, self.at):
            raise ValueError(f"not {_MARK} but {self._text[self.at : self.at + 20]!r}")
        begin = self.at + len(_MARK)
        end = self._text.find(_MARK, begin)
        if end < 0:
            raise ValueError(f"a text has no {_MARK} behind it")
        self.at = end + len(_MARK)
        return self._text[begin:end]

    def _next(self) -> str:
        match = _SPACE.match(self._text, self.at)
        assert match is not None
        self.at = match.end()
        return self._text[self.at]

    def _ended(self, close: str) -> bool:
        """Whether the closing sign is next, behind a comma perhaps; steps over both."""
        if self._next() == ",":
            self.at += 1
            self._next()
        if self._text[self.at] != close:
            return False
        self.at += 1
        return True
