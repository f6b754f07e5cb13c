"""All stages of a governor together: after each token, what is to be done. Pure.

What wins, where several say that a thought ends: the user, the budget, the time, the room that
the answer needs, a loop, the margin. The wind-down only persuades.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwq_gguf.chat.events import FinishReason, ThoughtEnded
from qwq_gguf.thinking.bounds import Bounds
from qwq_gguf.thinking.governor import Governor
from qwq_gguf.thinking.loops import LoopDetector
from qwq_gguf.thinking.sentences import SentenceEnds
from qwq_gguf.thinking.steering import Steering, nearly_closed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["NOTHING", "Decision", "Policy"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done before the next token.

    `close` the thought, for this reason; `end` the reply. `bias` replaces the biases, None
    leaves them. `looks`: the next logits are wanted, by `Policy.see`.
    """

    close: ThoughtEnded | None = None
    end: FinishReason | None = None
    bias: Mapping[int, float] | None = None
    looks: bool = False


NOTHING = Decision()


class Policy:
    """The governor of one reply."""

    def __init__(
        self,
        governor: Governor,
        bounds: Bounds,
        *,
        close: int | None = None,
        hesitations: frozenset[int] = frozenset(),
    ) -> None:
        """`close` is the token that closes a thought by itself, `hesitations` those that doubt."""
        self._bounds = bounds
        self._detector = LoopDetector() if governor.loops else None
        self._steering = Steering(governor, close, hesitations) if governor.steers else None
        self._margin = governor.margin if close is not None else None
        self._close = close
        self._sentences = SentenceEnds()
        self._asked = False
        self._step = 0
        self._at_end = False  # of a sentence, as far as the biases know

    def answer_now(self) -> None:
        """The user wants the thought closed; it is with its next token. From any thread."""
        self._asked = True

    def begin(self, *, thought: bool) -> Decision:
        """Before the first token, and where a thought becomes the answer or the other way."""
        if self._detector is not None:
            self._detector.reset()
        self._step, self._at_end = 0, False
        if self._steering is None:
            return NOTHING
        self._sentences = SentenceEnds()
        return Decision(bias=self._steering.biases(0, sentence_ended=False) if thought else {})

    def in_thought(
        self, token: int, piece: bytes, thinking_tokens: int, generated: int, seconds: float
    ) -> Decision:
        """After a token in an open thought; the numbers are as `Bounds` has them."""
        loop = self._loops(token, piece)
        if self._asked:
            self._asked = False
            return Decision(close=ThoughtEnded.ASKED)
        bound = self._bounds.reached(thinking_tokens, generated, seconds)
        if bound is not None:
            return Decision(close=bound)
        if loop:
            return Decision(close=ThoughtEnded.LOOP)
        if self._steering is None:
            return NOTHING
        return self._steer(piece, self._bounds.share(thinking_tokens, generated, seconds))

    def in_answer(self, token: int, piece: bytes) -> Decision:
        """After a token of the answer."""
        self._asked = False  # there was nothing to close
        return Decision(end=FinishReason.LOOP) if self._loops(token, piece) else NOTHING

    def _loops(self, token: int, piece: bytes) -> bool:
        detector = self._detector
        return detector is not None and detector.feed(token, ends_line=b"\n" in piece) is not None

    def see(self, logits: npt.NDArray[np.float32]) -> Decision:
        """The logits of a token that follows the end of a sentence in a thought."""
        if self._margin is None or self._close is None:
            return NOTHING
        if nearly_closed(logits, self._close, self._margin):
            return Decision(close=ThoughtEnded.MARGIN)
        return NOTHING

    def _steer(self, piece: bytes, share: float) -> Decision:
        assert self._steering is not None
        ended = self._sentences.feed(piece)
        step = self._steering.step(share) if ended else self._step
        bias = None
        if step and (step != self._step or ended is not self._at_end):
            bias = self._steering.biases(step, sentence_ended=ended)
        self._step, self._at_end = step, ended
        looks = ended and self._margin is not None
        return Decision(bias=bias, looks=looks) if looks or bias is not None else NOTHING
