"""What one reply cost, over all its rounds."""

from __future__ import annotations

from qwq_gguf.engine.reply import ReplyStream

__all__ = ["Tally"]


class Tally:
    """Counts tokens, and the seconds they took, over the rounds of one reply."""

    def __init__(self) -> None:
        self.prompt_tokens = 0
        self.thinking_tokens = 0
        self.answer_tokens = 0
        self.seconds = 0.0

    @property
    def tokens(self) -> int:
        """Tokens generated so far."""
        return self.thinking_tokens + self.answer_tokens

    @property
    def tokens_per_second(self) -> float:
        """Generated tokens a second."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0

    def add(self, stream: ReplyStream, seconds: float) -> None:
        """Count a round."""
        self.thinking_tokens += stream.thinking_tokens
        self.answer_tokens += stream.answer_tokens
        self.seconds += seconds
