"""Ending a thought that its governor says must end, in a running generation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from qwq_gguf.chat.events import Notice

if TYPE_CHECKING:
    from qwq_gguf.profiles import Profile
    from qwq_gguf.runtime.model import Model
    from qwq_gguf.runtime.reply import ReplyStream
    from qwq_gguf.runtime.session import Generation

__all__ = ["Governing"]


class Governing:
    """One generation's governor: look after each token that left the reply in its thought."""

    def __init__(self, model: Model, profile: Profile) -> None:
        self._model = model
        self._governor = profile.governor
        self._close = profile.thinking.close
        self._ended = False

    def look(self, stream: ReplyStream, generation: Generation) -> Iterator[Notice]:
        """Make the model close its thought, once, when the budget is used up."""
        if self._ended or not self._governor.ends(stream.thinking_tokens):
            return
        self._ended = True
        vocabulary, close = self._model.vocabulary, self._model.token_id(self._close)
        tokens = vocabulary.encode_text(self._governor.last_words)
        tokens += vocabulary.encode_text(self._close) if close is None else [close]
        generation.force(tokens)
        yield Notice(f"the thought is ended: its budget of {self._governor.budget:,} is used up")
