"""How long the thoughts of one reply may be: by tokens, by time, by what the answer needs."""

from __future__ import annotations

from dataclasses import dataclass

from qwq_gguf.chat.events import ThoughtEnded
from qwq_gguf.thinking.governor import Governor

__all__ = ["Bounds"]

_ANSWER_SHARE = 4  # an answer is kept at most this part of the room
_LEAST_ROOM = 32  # tokens; below it no answer would be one


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

        In less room than 32 tokens none is kept for an answer.
        """
        kept = min(governor.reserve, room // _ANSWER_SHARE)
        generated = room - kept - closing if kept and room >= _LEAST_ROOM else None
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
