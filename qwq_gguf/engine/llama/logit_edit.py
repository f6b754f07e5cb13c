"""Numbers added to a few raw logits, in place, for the time of one pick."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from qwq_gguf.errors import ModelError

__all__ = ["LogitEdit"]


class LogitEdit:
    """What is added, by token. Minus infinity leaves a token without a chance."""

    def __init__(self, added: Mapping[int, float], vocab_size: int) -> None:
        """ModelError for a token that a vocabulary of this size lacks."""
        self._tokens = np.fromiter(added.keys(), np.int64, len(added))
        self._numbers = np.fromiter(added.values(), np.float32, len(added))
        if added and not 0 <= self._tokens.min() <= self._tokens.max() < vocab_size:
            raise ModelError(
                "a bias is for a token that the model lacks",
                found=f"{self._tokens.min()} to {self._tokens.max()}",
                expected=f"0 to {vocab_size - 1}",
            )

    @classmethod
    def of(
        cls, added: Mapping[int, float], forbidden: Collection[int], vocab_size: int
    ) -> LogitEdit | None:
        """The edit that adds these numbers and forbids these tokens; None for nothing to do."""
        both = {**added, **dict.fromkeys(forbidden, -math.inf)}
        return cls(both, vocab_size) if both else None

    @contextmanager
    def made_in(self, logits: npt.NDArray[np.float32]) -> Iterator[None]:
        """Make it in these, and undo it in the end."""
        before = logits[self._tokens]
        logits[self._tokens] = before + self._numbers
        try:
            yield
        finally:
            logits[self._tokens] = before
