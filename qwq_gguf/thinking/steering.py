"""How a thought is talked into ending by itself: biases, and a look at the logits. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwq_gguf.thinking.governor import Governor

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Steering", "nearly_closed"]

_STEPS = 16  # in which the wind-down grows, so that few biases are ever made


@dataclass(frozen=True, slots=True)
class Steering:
    """The biases of a governor on a model with these tokens; `close` None: none closes alone."""

    governor: Governor
    close: int | None
    hesitations: frozenset[int]

    def step(self, share: float) -> int:
        """How far the wind-down has come, when so much of the bound is used: 0 to 16."""
        begin = self.governor.wind_down
        if begin is None or not self.governor.winds_down or share < begin:
            return 0
        return max(1, round(_STEPS * (share - begin) / (1.0 - begin)))

    def biases(self, step: int, *, sentence_ended: bool) -> Mapping[int, float]:
        """What to add to the next logits of a thought.

        The closing token is helped only where a sentence has ended; elsewhere it would cut
        one short.
        """
        pull = self.governor.wind_down_bias * step / _STEPS
        against = self.governor.hesitation_penalty + pull
        found = dict.fromkeys(self.hesitations, -against) if against else {}
        if pull and sentence_ended and self.close is not None:
            found[self.close] = pull
        return found


def nearly_closed(logits: npt.NDArray[np.float32], close: int, margin: float) -> bool:
    """Whether the closing token is as good as any other, but for a margin in logits.

    As ThinkBrake does (arXiv 2510.00546).
    """
    return bool(logits[close] >= logits.max() - margin)
