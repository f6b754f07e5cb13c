"""The turns of a chat so far, and those of them that are sent with the next question."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.sent_turns import Sent

__all__ = ["Turns"]


class Turns:
    """The system's turn, if there is one, and the history behind it."""

    def __init__(self, system: str | None = None) -> None:
        self._system: list[Message] = []
        self._history: list[Message] = []
        self._sent = Sent()
        self.set_system(system)

    @property
    def messages(self) -> tuple[Message, ...]:
        """All of them, also those that are not sent any more."""
        return (*self._system, *self._history)

    @property
    def left_out(self) -> int:
        """How many of the oldest turns are not sent."""
        return self._sent.left_out

    def sent_with(self, turn: Sequence[Message]) -> tuple[Message, ...]:
        """The messages that are sent where `turn` follows."""
        return (*self._system, *self._sent.of(self._history), *turn)

    def set_system(self, text: str | None) -> None:
        """Another system prompt, or none."""
        self._system = [Message("system", text)] if text else []

    def add(self, turn: Sequence[Message]) -> None:
        """Remember a question and all that followed it."""
        self._history += turn

    def ended(self, *, crowded: bool) -> None:
        """A reply is over; `crowded`: the context had no room for the rest of it."""
        self._sent.crowded = crowded

    def clear(self) -> None:
        """Forget all but the system prompt."""
        self._history.clear()
        self._sent = Sent()

    def undo(self) -> str | None:
        """Forget the last question and all that came of it; the question, None without one."""
        for place in reversed(range(len(self._history))):
            if self._history[place].role == "user":
                question = self._history[place].content
                del self._history[place:]
                return question
        return None

    def resume(
        self, messages: Sequence[Message], *, left_out: int = 0, keep_system: bool = False
    ) -> None:
        """Be these, a system turn in front included; `keep_system`: but for ours, where there is
        one.
        """
        turns = list(messages)
        system = [turns.pop(0)] if turns and turns[0].role == "system" else []
        self._system = (self._system or system) if keep_system else system
        self._history = turns
        self._sent = Sent()
        self._sent.left_out = left_out

    def make_room(
        self,
        turn: Sequence[Message],
        length: Callable[[Sequence[Message]], int],
        *,
        context: int,
        max_tokens: int | None,
    ) -> int:
        """How many turns more are left out from now on, so that there is room for a reply to
        `turn`; `length` says how many tokens the prompt of these messages has.
        """
        return self._sent.make_room(
            self._history,
            lambda kept: length((*self._system, *kept, *turn)),
            context=context,
            max_tokens=max_tokens,
        )
