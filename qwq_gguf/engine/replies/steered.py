"""What may be done to a running generation by those who only read its tokens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.chat.speculated import Speculated

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from qwq_gguf.engine.odds import Odds

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
    def room(self) -> int:
        """The most tokens that it may have, by its limit and by the context."""

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why it has ended; None until then."""

    @property
    def speculated(self) -> Speculated | None:
        """What guessing ahead has brought; None where it is off."""

    @property
    def odds(self) -> Odds | None:
        """How likely the last token was, where `tell_odds` has asked."""

    def tell_odds(self, best: int) -> None:
        """From the next pick on know how likely the model, before the chain, found each token,
        also a forced one, and so many of the likeliest. It costs a look at all logits.
        """

    def takes(self, tokens: Sequence[int]) -> bool:
        """Whether a grammar, where one acts now, lets these be the next tokens."""

    def force(self, tokens: Sequence[int]) -> None:
        """Let these be the next tokens, as if the model had picked them."""

    def forbid(self, tokens: Collection[int]) -> None:
        """Do not pick any of these from now on; `force` may still say them."""

    def bias(self, biases: Mapping[int, float]) -> None:
        """Add these to the raw logits, before the chain, from the next pick on.

        They replace what was said before, and none ends it. A pick without any is as fast as
        if there were no such thing; one with some hundred costs microseconds.
        """

    def before_pick(self, look: Callable[[npt.NDArray[np.float32]], None] | None) -> None:
        """Before each pick, forced tokens aside, show `look` the raw logits; None ends it.

        It gets a view of shape (n_vocab,) that it may neither change nor keep, and may force,
        forbid and bias.
        """

    def before_stop(self, goes_on: Callable[[int], bool] | None) -> None:
        """Ask `goes_on` at each picked token that would end the generation; None ends that.

        When it says True the token is dropped. What it has forced comes next, or another pick
        from the same logits: so it forces something, or forbids that token.
        """

    def begin_answer(self) -> None:
        """The thought ended with the last token: a grammar for the answer acts from the next."""
