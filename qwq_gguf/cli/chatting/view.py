"""How a reply looks on a terminal."""

from __future__ import annotations

import time
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Self

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
from qwq_gguf.cli.chatting.reply_lines import call_line, progress_line
from qwq_gguf.cli.chatting.shown import SHOWN, Shown
from qwq_gguf.cli.terminal.markdown import BlockSplitter
from qwq_gguf.cli.terminal.region import LiveRegion
from qwq_gguf.cli.terminal.wrap import StreamWrapper
from qwq_gguf.words import clean, count, one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["TerminalView"]

_THOUGHT = "dim"
_NOTE = "magenta"  # to be read on black and on white
_INDENT = 2
_PATIENCE = 0.3  # seconds after which a person wants to see that something goes on


class TerminalView:
    """Thoughts dimmed and wrapped as they come; the answer as Markdown, block by block.

    A finished line or block is printed for good and scrolls away; what is still being written
    stands in a live region below, with a line that says how far the thought is and what was
    typed ahead. `live=False` prints what is finished only, as a recording needs it.
    """

    def __init__(
        self,
        console: Console,
        *,
        live: bool = True,
        shown: Shown = SHOWN,
        budget: int | None = None,
    ) -> None:
        """`budget`: tokens that a thought may take; may be changed between replies."""
        self.budget = budget
        self.attended = True
        self._console = console
        self._region = LiveRegion(console) if live else None
        self._shown = shown
        self._lock = RLock()  # keys are heard in a thread of their own
        self._began = 0.0
        self._size = (0, 0)
        self._typed = ""
        self._reading = ""
        self._awaited = False  # whether nothing of the reply has come yet
        self._blocks = BlockSplitter()
        self._settled = False  # whether a block of this answer is printed for good
        self._thinking: float | None = None  # since when
        self._line = ""  # of the thought, still being written
        self._thought_tokens = 0
        self._wrapper = self._new_wrapper()

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._settled = False
        self._typed = ""
        self._awaited = True
        self._thought_tokens = 0
        self._size = self._console.size
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._reading, self._awaited = "", False
            self._end_thought()
            self._end_answer()
            self._typed = ""
            self._away()

    def reading(self, done: int, total: int) -> None:
        """A line that a long prompt is still computed, once that takes a while."""
        if time.monotonic() - self._began >= _PATIENCE:
            with self._lock:
                self._reading = f"reading {100 * done // total} % of {count(total, 'token')}"
                self._redraw(now=True)

    def typed(self, text: str) -> None:
        """Show what was typed ahead."""
        with self._lock:
            self._typed = text
            self._redraw(now=True)

    def tick(self) -> None:
        """Draw anew what has changed, or what a resize has torn."""
        with self._lock:
            resized = self._size != self._console.size
            if resized:
                self._size = self._console.size
                self._rewrap()
            self._redraw(now=resized)

    def show(self, event: ChatEvent) -> None:
        """Show one event."""
        with self._lock:
            self._reading, self._awaited = "", False
            self._show(event)
            self._redraw()

    def after(self, line: str) -> None:
        """Say something about a reply that has ended."""
        with self._lock:
            self._note(clean(line), "dim")

    # ------------------------------------------------------------- events

    def _show(self, event: ChatEvent) -> None:
        match event:
            case ThinkingDelta(text=text):
                self._end_answer()
                self._thought_tokens += 1
                self._think(clean(text))
            case AnswerDelta(text=text):
                self._end_thought()
                self._answer(clean(text))
            case AnswerWasThought():
                self._dim_answer()
            case ToolCallStarted() | ToolResult():
                self._end_thought()
                self._end_answer()
                if self._shown.notes:
                    called = isinstance(event, ToolCallStarted)
                    self._note("  " + call_line(event), "cyan" if called else "bold cyan")
                    if not called:
                        self._print()
            case Note(text=text):
                self._end_thought()
                self._end_answer()
                self._note(clean(text), _NOTE)
            case Finished():
                self._end_thought()
                self._end_answer()

    def _think(self, text: str) -> None:
        if self._thinking is None:
            text = text.lstrip()
            if not text:
                return
            self._thinking = time.monotonic()
            self._wrapper = self._new_wrapper()
        if self._shown.thoughts:
            self._take(self._wrapper.feed(text))

    def _take(self, shown: str) -> None:
        """What the wrapper lets go: whole lines are printed, the last one goes on."""
        *whole, self._line = (self._line + shown).split("\n")
        for line in whole:
            self._print(line.rstrip(), _THOUGHT)

    def _end_thought(self) -> None:
        if self._thinking is None:
            return
        self._take(self._wrapper.finish())
        if self._line.strip():
            self._print(self._line.rstrip(), _THOUGHT)
        if self._shown.thoughts:
            self._print()
        self._end_phases()

    def _answer(self, text: str) -> None:
        for block in self._blocks.feed(text):
            self._settle(block)

    def _end_answer(self) -> None:
        for block in self._blocks.finish():
            self._settle(block)
        self._settled = False

    def _dim_answer(self) -> None:
        """What was shown as answer was the thought: what can be redrawn is, a line says the rest.

        Finished blocks may have scrolled away, and no terminal gives them back.
        """
        settled = self._settled
        self._think("\n\n".join(self._blocks.finish()))
        self._end_thought()
        if settled:
            self._print("(that was the thought; here is the answer)", _THOUGHT)
            self._print()
        self._settled = False

    def _settle(self, block: str) -> None:
        from qwq_gguf.cli.terminal.rendered import print_block

        self._settled = True
        self._away()
        print_block(self._console, block)
        self._console.print()

    def _note(self, text: str, style: str) -> None:
        """Prose: unlike what somebody copies, it is broken between words."""
        from rich.text import Text

        self._away()
        self._console.print(Text(text, style=style))

    def _print(self, text: str = "", style: str = "") -> None:
        from rich.text import Text

        self._away()
        self._console.print(Text(text, style=style), soft_wrap=True)

    # -------------------------------------------------------- live region

    def _end_phases(self) -> None:
        self._thinking, self._line, self._thought_tokens = None, "", 0
        self._wrapper = self._new_wrapper()

    def _new_wrapper(self) -> StreamWrapper:
        from rich.cells import cell_len

        return StreamWrapper(self._console.width - 1, indent=_INDENT, cells=cell_len)

    def _rewrap(self) -> None:
        """Begin the line that is being written anew for another width."""
        if self._thinking is not None:
            begun = self._line + self._wrapper.finish()
            self._wrapper, self._line = self._new_wrapper(), ""
            self._take(self._wrapper.feed(begun.lstrip() if begun.strip() else ""))

    def _away(self) -> None:
        if self._region is not None:
            self._region.clear()

    def _redraw(self, *, now: bool = False) -> None:
        if self._region is None or not (now or self._region.due or not self._region.shown):
            return
        began = time.monotonic()
        lines = self._live_lines()
        if lines:
            self._region.draw(lines, made_in=time.monotonic() - began)
        else:
            self._region.clear()

    def _live_lines(self) -> list[Text]:
        from rich.text import Text

        lines: list[Text] = []
        if self._thinking is not None:
            if self._line.strip():
                lines.append(Text(self._line, style=_THOUGHT))
            lines.append(Text(self._progress(self._thinking)))
        elif self._blocks.pending.strip():
            from qwq_gguf.cli.terminal.rendered import tail

            lines += tail(self._console, self._blocks.pending, self._console.height - 2)
        elif self._reading:
            lines.append(Text(self._reading, style=_THOUGHT))
        elif self._awaited and time.monotonic() - self._began >= _PATIENCE:
            lines.append(Text("reading", style=_THOUGHT))
        if self._typed:
            room = max(self._console.width - 8, 1)  # for its end, where it is being typed
            typed = one_line(self._typed.replace("\n", " \N{RETURN SYMBOL} ")[-room:], room)
            lines.append(Text(f"next: {typed}", style="bold"))
        return lines

    def _progress(self, since: float) -> str:
        # A token is a delta, but for the few that are held back until they can be read.
        tokens = self._thought_tokens
        room = self._console.width - 1 - _INDENT
        line = progress_line(tokens, time.monotonic() - since, self.budget, room)
        return " " * _INDENT + line
