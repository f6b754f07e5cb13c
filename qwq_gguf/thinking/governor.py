"""When a thought is ended from outside."""

from __future__ import annotations

from dataclasses import dataclass

from qwq_gguf.errors import ProfileError

__all__ = ["Governor"]

_MOST = 1 << 24
_MAX_TEXT = 1000


@dataclass(frozen=True, slots=True)
class Governor:
    """What is done about a thought that does not end.

    `budget` is the most tokens that the thoughts of one turn may take, 0 for no thought and
    None for as many as they like. Then `message` is put into the model's mouth, and the tag
    that closes the thought, so that it answers from what it has. Without words of the model's
    own kind before the tag answers get worse (llama.cpp has its `--reasoning-budget-message`
    for the same reason).
    A thought that is ended so is not begun again in the same turn.
    """

    budget: int | None = None
    message: str = ""

    def __post_init__(self) -> None:
        if self.budget is not None and not 0 <= self.budget <= _MOST:
            raise ProfileError(
                "governor: the budget is out of range",
                found=self.budget,
                expected=f"0 to {_MOST} tokens",
            )
        if len(self.message) > _MAX_TEXT:
            raise ProfileError(
                "governor: the message is too long",
                found=f"{len(self.message)} characters",
                expected=f"at most {_MAX_TEXT}",
            )

    def ends(self, thinking_tokens: int) -> bool:
        """Whether a thought of so many tokens, not closed yet, has to end now."""
        return self.budget is not None and thinking_tokens >= self.budget

    @property
    def last_words(self) -> str:
        """What the thought ends in before its tag, which stands on a line of its own."""
        message = self.message.strip()
        return f"\n{message}\n" if message else "\n"
