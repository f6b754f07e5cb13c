"""How long the thoughts of one reply may be: by tokens, by time, by what the answer needs."""

from __future__ import annotations

from dataclasses import dataclass

from qwq_gguf.chat.events import ThoughtEnded
from qwq_gguf.thinking.governor import Governor

__all__ = ["Bounds", "holds_thought"]

_ANSWER_SHARE = 4  # an answer is kept at most this part of the room
_LEAST_ANSWER = 4  # tokens, of which a word of ours may be two
_LEAST_BOTH = 8  # tokens of thought and answer, beside what closes the thought


def holds_thought(room: int, closing: int) -> bool:
    """Whether a reply of `room` tokens has any for a thought, which `closing` tokens close.

    In less an answer comes at once: a thought of three words would only take its place.
    """
    return room >= 2 * closing + _LEAST_BOTH


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of one reply; None for one that there is not.

    `tokens` and `seconds` are those of its thoughts together. From `generated` tokens on, of
    thought and answer together, what is left is the answer's.
    """

    tokens: int | None = None
    seconds: float | None = None
    generated: int | None = None

    @classmethod
    def of(cls, governor: Governor, room: int, closing: int) -> Bounds:
        """For a reply of at most `room` tokens, of which `closing` say that the thought ends.

        The answer is kept a quarter of the room at most, but 4 tokens in any case; 0 of
        `generated` says that a thought has to be closed before its first token.
        """
        kept = min(governor.reserve, max(_LEAST_ANSWER, room // _ANSWER_SHARE))
        generated = max(0, room - kept - closing) if kept else None
        return cls(governor.budget, governor.seconds, generated)

    def reached(self, thinking_tokens: int, generated: int, seconds: float) -> ThoughtEnded | None:
        """The bound that a thought has come to, the user's own before the context's."""
        if self.tokens is not None and thinking_tokens >= self.tokens:
            return ThoughtEnded.BUDGET
        if self.seconds is not None and seconds >= self.seconds:
            return ThoughtEnded.TIME
        if self.generated is not None and generated >= self.generated:
            return ThoughtEnded.RESERVE
        return None

    def share(self, thinking_tokens: int, generated: int, seconds: float) -> float:
        """How much of the nearest bound is used: 0 to 1."""
        used = (
            (thinking_tokens, self.tokens),
            (seconds, self.seconds),
            (generated, self.generated),
        )
        shares = (now / bound if bound else 1.0 for now, bound in used if bound is not None)
        return min(1.0, max(shares, default=0.0))
