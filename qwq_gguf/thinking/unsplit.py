"""A splitter that splits nothing: for text that is gone on with as it is."""

from __future__ import annotations

from collections.abc import Sequence

from qwq_gguf.thinking.splits import Phase, Split

__all__ = ["Unsplit"]


class Unsplit:
    """All text is the answer, tags of thoughts as well."""

    phase = Phase.ANSWER
    opened = closed = undecided = calling = between = False
    closing_text = "</think>"  # nobody has reason to force it
    thinking_tokens = 0

    def __init__(self) -> None:
        self.reopens = False
        self.answer_tokens = 0

    def feed(self, text: str, token: int | None = None) -> Sequence[Split]:
        """The text."""
        self.answer_tokens += token is not None
        return (Split(Phase.ANSWER, text),) if text else ()

    def finish(self) -> Sequence[Split]:
        """Nothing was held back."""
        return ()
