"""Ending a thought that its governor says must end, in a running generation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from qwq_gguf.chat.events import Notice

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.engine.replies.steered import Steered
    from qwq_gguf.engine.replies.stream import ReplyStream
    from qwq_gguf.profiles import Profile

__all__ = ["Governing"]


class Governing:
    """One generation's governor: `begin`, then `look` after each token that is in a thought."""

    def __init__(self, model: Model, profile: Profile) -> None:
        self._model = model
        self._governor = profile.governor
        self._tags = profile.thinking
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether it has ended a thought."""
        return self._ended

    def begin(self, stream: ReplyStream, generation: Steered) -> None:
        """Before the first token: there is no thought where there is no budget for one."""
        if not self._governor.ends(0):
            return
        if stream.in_thought:
            self._end(generation, "\n")
        self._forbid_thoughts(generation)

    def look(self, stream: ReplyStream, generation: Steered) -> Iterator[Notice]:
        """Make the model close its thought when the budget of this round is used up."""
        if self._ended or not self._governor.ends(stream.thinking_tokens):
            return
        self._end(generation, self._governor.last_words if self._governor.budget else "\n")
        self._forbid_thoughts(generation)
        if self._governor.budget:
            yield Notice(
                f"the thought is ended: its budget of {self._governor.budget:,} is used up"
            )

    def _end(self, generation: Steered, last_words: str) -> None:
        self._ended = True
        vocabulary, close = self._model.vocabulary, self._model.token_id(self._tags.close)
        tokens = vocabulary.encode_text(last_words)
        tokens += vocabulary.encode_text(self._tags.close) if close is None else [close]
        generation.force(tokens)

    def _forbid_thoughts(self, generation: Steered) -> None:
        """An answer follows: some models would open the next thought at once.

        Only a token of its own can open another one (see `ThoughtSplitter`).
        """
        opening = self._model.token_id(self._tags.open)
        if opening is not None:
            generation.forbid((opening,))
