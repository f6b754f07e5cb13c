"""What may be done to a running generation by those who only read its tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from qwq_gguf.chat.events import FinishReason

__all__ = ["Steered"]


class Steered(Protocol):
    """A generation as its reply sees it; of a session, or of an engine's sequence."""

    @property
    def tokens(self) -> int:
        """Tokens generated so far."""

    @property
    def seconds(self) -> float:
        """Seconds they took; neither prompt nor consumer count."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt."""

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why it has ended; None until then."""

    def force(self, tokens: Sequence[int]) -> None:
        """Let these be the next tokens, as if the model had picked them."""

    def forbid(self, tokens: Collection[int]) -> None:
        """Do not pick any of these from now on; `force` may still say them."""

    def begin_answer(self) -> None:
        """The thought ended with the last token: a grammar for the answer acts from the next."""
