"""How a reply looks: on a terminal, and in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from qwq_gguf.chat.events import (
    AnswerDelta,
    AnswerWasThought,
    ChatEvent,
    Finished,
    Notice,
    ThinkingDelta,
    ToolCallStarted,
    ToolResult,
)
from qwq_gguf.cli.chatting.remarks import call_line
from qwq_gguf.cli.terminal.markdown import BlockSplitter, for_screen
from qwq_gguf.cli.terminal.streams import refuse_deserted
from qwq_gguf.cli.terminal.wrap import StreamWrapper
from qwq_gguf.words import clean, count

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.live import Live
    from rich.segment import Segment
    from rich.status import Status

__all__ = ["PlainView", "ReplyView", "TerminalView"]

_THOUGHT = "dim"
_INDENT = 2
_PATIENCE = 0.3  # seconds after which a person wants to see that something goes on


class ReplyView(Protocol):
    """Shows the events of replies. A context manager a reply, so that a screen is left tidy."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def reading(self, done: int, total: int) -> None:
        """So many tokens of the prompt are computed."""

    def show(self, event: ChatEvent) -> None:
        """Show one event."""

    def after(self, remark: str) -> None:
        """Say something about a reply that has ended."""


class PlainView:
    """For pipes and dumb terminals: the answer alone on `out`, all else on `err`.

    What may still turn out to be the thought waits until that is known.
    """

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = sys.stdout if out is None else out
        self._err = sys.stderr if err is None else err
        self._open: TextIO | None = None  # the stream whose last line has not ended
        self._unsure: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._settle(self._out)
        self._end_line()

    def reading(self, done: int, total: int) -> None:
        """Nothing is said of it."""

    def show(self, event: ChatEvent) -> None:
        """Show one event."""
        if isinstance(event, AnswerDelta) and not event.sure:
            self._unsure.append(event.text)
            return
        self._settle(self._err if isinstance(event, AnswerWasThought) else self._out)
        match event:
            case ThinkingDelta(text=text):
                self._write(self._err, text)
            case AnswerDelta(text=text):
                self._write(self._out, text)
            case ToolCallStarted() | ToolResult():
                self._line(call_line(event))
            case Notice(text=text):
                self._line(text)
            case Finished():
                self._end_line()

    def after(self, remark: str) -> None:
        """Say something about a reply that has ended."""
        self._line(remark)

    def _settle(self, stream: TextIO) -> None:
        """It is known what the text that waits is, and where it belongs."""
        self._write(stream, "".join(self._unsure))
        self._unsure.clear()

    def _write(self, stream: TextIO, text: str) -> None:
        if not text:
            return
        if self._open is not stream:
            self._end_line()
        stream.write(clean(text))
        stream.flush()
        refuse_deserted(stream)
        self._open = None if text.endswith("\n") else stream

    def _line(self, text: str) -> None:
        self._end_line()
        self._err.write(clean(text) + "\n")
        self._err.flush()

    def _end_line(self) -> None:
        if self._open is not None:
            self._open.write("\n")
            self._open.flush()
        self._open = None


class TerminalView:
    """Thoughts dimmed and wrapped as they come; the answer as Markdown, block by block.

    A finished block is printed for good and scrolls away; only the block still being
    written is redrawn. `live=False` prints finished blocks only, as a recording needs it.
    """

    def __init__(self, console: Console, *, live: bool = True) -> None:
        self._console = console
        self._live_wanted = live
        self._live: Live | None = None
        self._wrapper: StreamWrapper | None = None
        self._blocks = BlockSplitter()
        self._settled = False  # whether a block of this answer is printed for good
        self._status: Status | None = None
        self._began = 0.0

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._settled = False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end_reading()
        self._end_thought()
        self._end_answer()

    def reading(self, done: int, total: int) -> None:
        """A line that a long prompt is still computed, once that takes a while."""
        if not self._live_wanted or time.monotonic() - self._began < _PATIENCE:
            return
        if self._status is None:
            self._status = self._console.status("", spinner_style=_THOUGHT)
            self._status.start()
        self._status.update(f"reading {100 * done // total} % of {count(total, 'token')}")

    def _end_reading(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def show(self, event: ChatEvent) -> None:
        """Show one event."""
        self._end_reading()
        match event:
            case ThinkingDelta(text=text):
                self._end_answer()
                self._think(clean(text))
            case AnswerDelta(text=text):
                self._end_thought()
                self._answer(clean(text))
            case AnswerWasThought():
                self._dim_answer()
            case ToolCallStarted() | ToolResult():
                self._end_thought()
                self._end_answer()
                called = isinstance(event, ToolCallStarted)
                self._styled("  " + call_line(event), "cyan" if called else "bold cyan")
                if not called:
                    self._console.print()
            case Notice(text=text):
                self._end_thought()
                self._end_answer()
                self._remark(clean(text), "yellow")
            case Finished():
                self._end_thought()
                self._end_answer()

    def after(self, remark: str) -> None:
        """Say something about a reply that has ended."""
        self._remark(clean(remark), "dim")

    def _remark(self, text: str, style: str) -> None:
        """Prose: unlike what somebody copies, it is broken between words."""
        from rich.text import Text

        self._console.print(Text(text, style=style))

    def _styled(self, text: str, style: str, end: str = "\n") -> None:
        from rich.text import Text

        self._console.print(Text(text, style=style), end=end, soft_wrap=True)

    def _think(self, text: str) -> None:
        if self._wrapper is None:
            text = text.lstrip()
            if not text:
                return
            from rich.cells import cell_len

            self._wrapper = StreamWrapper(self._console.width, indent=_INDENT, cells=cell_len)
        shown = self._wrapper.feed(text)
        if shown:
            self._styled(shown, _THOUGHT, end="")

    def _end_thought(self) -> None:
        if self._wrapper is None:
            return
        self._styled(self._wrapper.finish(), _THOUGHT)
        self._wrapper = None
        self._console.print()

    def _answer(self, text: str) -> None:
        for block in self._blocks.feed(text):
            self._settle(block)
        if self._live_wanted and self._blocks.pending.strip():
            self._redraw(self._blocks.pending)

    def _end_answer(self) -> None:
        for block in self._blocks.finish():
            self._settle(block)
        self._drop_live()
        self._settled = False

    def _dim_answer(self) -> None:
        """What was shown as answer was the thought: what can be redrawn is, a line says the rest.

        Finished blocks may have scrolled away, and no terminal gives them back.
        """
        settled = self._settled
        rest = "\n\n".join(self._blocks.finish())
        self._drop_live()
        self._think(rest)
        self._end_thought()
        if settled:
            self._styled("(that was the thought; here is the answer)", _THOUGHT)
            self._console.print()
        self._settled = False

    def _settle(self, block: str) -> None:
        self._settled = True
        self._drop_live()
        self._console.print(_Block(block))
        self._console.print()

    def _redraw(self, block: str) -> None:
        from rich.live import Live

        if self._live is None:
            self._live = Live(
                console=self._console, transient=True, refresh_per_second=12, auto_refresh=True
            )
            self._live.start()
        self._live.update(_Block(block, tail=True))

    def _drop_live(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _markdown(text: str) -> RenderableType:
    from rich.markdown import Markdown

    # Without hyperlinks=False the address of a link is hidden behind its text.
    return Markdown(for_screen(text), hyperlinks=False, code_theme="ansi_dark")


class _Block:
    """A block of Markdown without blank lines around it.

    With `tail`, only its last lines that fit the screen: what has scrolled off the top
    cannot be redrawn.
    """

    def __init__(self, text: str, *, tail: bool = False) -> None:
        self._text = text
        self._tail = tail

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment, Segments

        lines = console.render_lines(_markdown(self._text), pad=False)
        while lines and _blank(lines[0]):
            del lines[0]
        while lines and _blank(lines[-1]):
            del lines[-1]
        if self._tail:
            lines = lines[-max(console.height - 2, 1) :]
        yield Segments([part for line in lines for part in (*line, Segment.line())])


def _blank(line: Sequence[Segment]) -> bool:
    return not any(part.text.strip() for part in line)
