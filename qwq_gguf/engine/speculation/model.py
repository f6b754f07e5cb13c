"""Guesses of a smaller model with the same vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qwq_gguf.engine.llama.context_settings import ContextSettings
from qwq_gguf.engine.llama.kv_context import KvContext
from qwq_gguf.engine.speculation.lengths import MOST_GUESSES, Acceptance, Costs, best_length

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from qwq_gguf.engine.model import Model

__all__ = ["ModelDrafter"]

_START = 0.8
_LEAST_CHANCE = 0.5  # of a guess, by the smaller model's own opinion


class ModelDrafter:
    """A `Drafter` with a context of its own, in which the text is computed as far as it is known.

    It guesses its likeliest token, as long as it thinks that likelier than not. Where that does
    not pay it computes nothing, and catches up in one go when it is tried again.
    """

    def __init__(
        self, model: Model, settings: ContextSettings, costs: Costs, most: int, vocabulary: int
    ) -> None:
        """`vocabulary`: tokens from this one on are not guessed; the other model lacks them."""
        self._model = model
        self._context = KvContext(model, settings)
        self._costs = costs
        self._most = min(most, MOST_GUESSES)
        self._vocabulary = vocabulary
        self._acceptance = Acceptance(_START)
        self._text: list[int] = []
        self._known = 0  # tokens of the text that its context has for certain
        self._lost = False

    def begin(self, prompt: Sequence[int]) -> None:
        """See `Drafter`. The prompt is computed, but for what it has in common with the last."""
        self._context.abort.clear()
        self._text = list(prompt)
        self._lost = max(prompt) >= self._model.vocab_size
        if not self._lost:
            self._known = self._context.reuse(self._text)
            self._catch_up()

    def add(self, token: int) -> None:
        """See `Drafter`."""
        self._text.append(token)
        self._lost = self._lost or token >= self._model.vocab_size

    def draft(self, most: int) -> list[int]:
        """See `Drafter`."""
        room = self._model.context_size - len(self._text) - 1
        most = min(most, self._most, room)
        if self._lost or most < 1:
            return []
        length = best_length(self._acceptance.share, self._costs, most)
        if not length:
            self._acceptance.passed()
            return []
        if not self._catch_up():
            return []
        guesses: list[int] = []
        while True:
            token = self._likeliest()
            if token is None:
                break
            guesses.append(token)
            if len(guesses) == length or self._context.compute_token(token):
                break
        if not guesses:  # it is as unsure as if it had been wrong
            self._acceptance.verified(1, 0)
        return guesses

    def verified(self, drafted: int, accepted: int) -> None:
        """See `Drafter`."""
        self._acceptance.verified(drafted, accepted)

    def interrupt(self) -> None:
        """See `Drafter`."""
        self._context.abort.set()

    def close(self) -> None:
        """See `Drafter`."""
        self._context.close()

    def _catch_up(self) -> bool:
        """Compute what the text has more than the context; False if that was aborted.

        What was guessed, and came, is there already. The last token is computed in any case.
        """
        context, text = self._context, self._text
        known = min(context.agreement(text, self._known), len(text) - 1)
        context.cut_back(known)
        if len(text) - known == 1:
            done = context.compute_token(text[-1]) == 0
        else:
            done = context.compute_prompt(text, known, None)
        self._known = context.cached_tokens
        return done

    def _likeliest(self) -> int | None:
        found: list[int] = []

        def look(logits: npt.NDArray[np.float32]) -> None:
            import numpy as np

            best = int(logits.argmax())
            chance = 1 / float(np.exp(logits - logits[best]).sum())
            if chance >= _LEAST_CHANCE and best < self._vocabulary:
                found.append(best)

        self._context.show_logits(look)
        return found[0] if found else None
