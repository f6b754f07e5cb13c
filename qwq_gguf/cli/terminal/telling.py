"""What a job tells, on a terminal: sentences on stderr, and bars where a person sees them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from qwq_gguf.cli.terminal.output import may_draw, note
from qwq_gguf.cli.terminal.waiting import Waiting
from qwq_gguf.jobs.events import (
    Activity,
    Began,
    Change,
    Delayed,
    Ended,
    Event,
    Interrupted,
    Kept,
    Note,
    Progress,
    Quantized,
    Said,
    Streaming,
    Unfinished,
    Unlisted,
    Warned,
    Wrote,
)
from qwq_gguf.words import count

if TYPE_CHECKING:
    from qwq_gguf.cli.terminal.progress import ByteBar, CountBar, StreamBar

__all__ = ["Bars", "Terminal"]


class Bars:
    """Shows how far a job is, and says nothing; give it to one as what to report to."""

    def __init__(self) -> None:
        self._bars: dict[Activity, ByteBar | CountBar | StreamBar] = {}
        self._open: dict[Activity, ExitStack] = {}
        self._waiting: Waiting | None = None

    def __call__(self, event: Event) -> None:
        """Show it."""
        match event:
            case Progress():
                self._progress(event)
            case Began():
                self._begin(event)
            case Ended(activity=kind):
                self._bars.pop(kind, None)
                if kind in self._open:
                    self._open.pop(kind).close()

    def _begin(self, event: Began) -> None:
        if not may_draw():
            return
        from qwq_gguf.cli.terminal.progress import ByteBar, CountBar, StreamBar

        stack = self._open[event.activity] = ExitStack()
        if event.activity is Activity.LOADING:
            self._waiting = Waiting(f"checking {event.what}")
            stack.callback(self._waiting.stop)
            return
        if event.activity is Activity.ASKING:
            stack.callback(Waiting(f"asking the Hub about {event.what}").stop)
            return
        if event.activity is Activity.WARMING:
            stack.callback(Waiting(f"making room for {event.what}").stop)
            return
        if event.activity in (Activity.QUANTIZING, Activity.TRYING):
            self._bars[event.activity] = stack.enter_context(StreamBar(event.what))
        elif event.activity is Activity.EVALUATING:
            bar = CountBar(event.what, event.total or 0, unit="replies")
            self._bars[event.activity] = stack.enter_context(bar)
        elif event.activity is Activity.MEASURING:
            bar = CountBar(event.what, event.total or 0, unit="windows")
            self._bars[event.activity] = stack.enter_context(bar)
        else:
            self._bars[event.activity] = stack.enter_context(ByteBar(event.what, event.total))

    def _progress(self, event: Progress) -> None:
        if event.activity is Activity.LOADING:
            if self._waiting is not None:
                self._waiting.say(f"loading {event.what}", event.done)
            return
        bar = self._bars.get(event.activity)
        if bar is not None:
            bar.update(event)
            return
        if not self._bars:
            return
        from qwq_gguf.cli.terminal.progress import StreamBar

        stream = self._bars.get(Activity.QUANTIZING)
        if event.activity is Activity.DOWNLOADING and isinstance(stream, StreamBar):
            stream.downloaded(event)


class Terminal(Bars):
    """The same with all that it tells."""

    def __call__(self, event: Event) -> None:
        """Show it."""
        match event:
            case Began() | Progress() | Ended():
                super().__call__(event)
            case Quantized(plans=plans, summaries=summaries):
                from qwq_gguf.cli.showing.quantize import show_summaries

                show_summaries(plans, summaries)
            case Said(text=text) | Delayed(text=text):
                note(text)
            case Note(text=text):
                note(f"note: {text}")
            case Warned(text=text):
                note(f"warning: {text}")
            case Change(text=text):
                note(f"set: {text}")
            case Wrote(path=path, text=text):
                note(f"{path}: {text}" if text else f"{path}")
            case Kept(path=path):
                note(f"{path} is there already and stays (--force replaces it)")
            case Interrupted():
                note("")  # the terminal has just echoed ^C
            case Unfinished(path=path, share=share):
                note(
                    f"{path}: {100 * share:.0f} % is done and kept; the same command goes on from "
                    "there (--no-resume starts over)"
                )
            case Streaming():
                from qwq_gguf.cli.showing.quantize import stream_line

                note(stream_line(event, would=False))
            case Unlisted(shards=shards):
                note(
                    f"note: this Hub lists no digest of {count(shards, 'shard')}: only size and "
                    "header can be checked"
                )
