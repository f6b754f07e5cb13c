"""How much of a reply is shown, and what whoever shows it can do."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from qwq_gguf.chat.events import ChatEvent

__all__ = ["SHOWN", "ReplyView", "Shown"]


@dataclass(frozen=True, slots=True)
class Shown:
    """`thoughts`: their text. `notes`: tool calls, and what a reply cost. `details`: more of
    what it cost.
    """

    thoughts: bool = True
    notes: bool = True
    details: bool = False


SHOWN = Shown()


class ReplyView(Protocol):
    """Shows the events of replies. A context manager a reply, so that a screen is left tidy.

    `attended`: somebody sees it, who may want an answer before the thought is over. `budget`:
    the tokens that a thought may take.
    """

    attended: bool
    budget: int | None

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def reading(self, done: int, total: int) -> None:
        """So many tokens of the prompt are computed."""

    def typed(self, text: str) -> None:
        """This was typed ahead so far; from any thread."""

    def tick(self) -> None:
        """Some time has passed; from any thread."""

    def show(self, event: ChatEvent) -> None:
        """Show one event."""

    def after(self, line: str) -> None:
        """Say something about a reply that has ended."""
