"""How a reply looks in a pipe, and on a terminal that draws nothing."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self, TextIO

from qwq_gguf.chat.events import (
    AnswerDelta,
    AnswerWasThought,
    ChatEvent,
    Finished,
    Note,
    ThinkingDelta,
    ToolCallStarted,
    ToolResult,
)
from qwq_gguf.cli.chatting.reply_lines import call_line
from qwq_gguf.cli.chatting.shown import SHOWN, Shown
from qwq_gguf.cli.terminal.output import note
from qwq_gguf.cli.terminal.streams import refuse_deserted
from qwq_gguf.words import clean

__all__ = ["PlainView"]


class PlainView:
    """For pipes and for terminals that draw nothing: the answer alone on `out`, all else on `err`.

    What may still turn out to be the thought waits until that is known.
    """

    def __init__(
        self,
        out: TextIO | None = None,
        err: TextIO | None = None,
        *,
        shown: Shown = SHOWN,
        titles: bool = False,
        attended: bool = False,
    ) -> None:
        """`titles`: both go to one terminal and look alike, so a line says which follows."""
        self.budget: int | None = None
        self.attended = attended
        self._shown = shown
        self._titles = titles
        self._told: str | None = None
        self._out = sys.stdout if out is None else out
        self._err = sys.stderr if err is None else err
        self._open: TextIO | None = None  # the stream whose last line has not ended
        self._unsure: list[str] = []

    def __enter__(self) -> Self:
        self._told = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._settle()
        self._end_line()

    def reading(self, done: int, total: int) -> None:
        """Nothing is said of it."""

    def typed(self, text: str) -> None:
        """Nothing is shown of it."""

    def tick(self) -> None:
        """Nothing is drawn."""

    def show(self, event: ChatEvent) -> None:
        """Show one event."""
        if isinstance(event, AnswerDelta) and not event.sure:
            self._unsure.append(event.text)
            return
        if isinstance(event, AnswerWasThought):
            self._think("".join(self._unsure))
            self._unsure.clear()
        self._settle()
        match event:
            case ThinkingDelta(text=text):
                self._think(text)
            case AnswerDelta(text=text):
                self._write(self._out, text)
            case ToolCallStarted() | ToolResult():
                if self._shown.notes:
                    self._line(call_line(event))
            case Note(text=text):
                self._line(text)
            case Finished():
                self._end_line()

    def after(self, line: str) -> None:
        """Say something about a reply that has ended."""
        self._end_line()
        note(line, self._err)

    def _think(self, text: str) -> None:
        if self._shown.thoughts:
            self._write(self._err, text)

    def _settle(self) -> None:
        """What waits is known to be the answer."""
        self._write(self._out, "".join(self._unsure))
        self._unsure.clear()

    def _write(self, stream: TextIO, text: str) -> None:
        if not text:
            return
        if self._open is not stream:
            self._end_line()
        if self._titles:
            self._title("answer" if stream is self._out else "thought")
        stream.write(clean(text))
        stream.flush()
        refuse_deserted(stream)
        self._open = None if text.endswith("\n") else stream

    def _title(self, what: str) -> None:
        if self._told != what:
            self._told = what
            note(f"{what}:", self._err)

    def _line(self, text: str) -> None:
        self._end_line()
        note(text, self._err)

    def _end_line(self) -> None:
        if self._open is not None:
            self._open.write("\n")
            self._open.flush()
        self._open = None
