"""A text of which several tokens are computed at once, because somebody guessed them.

The chain picks each token from its own logits, in order, as it would one by one, and a wrong guess
only ends the step. So the text is drawn from the same distribution, and with the same seed is the
same but for ties: llama.cpp rounds otherwise where it computes several tokens at once.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.chat.speculated import Speculated
from qwq_gguf.engine.generation import Generation, why
from qwq_gguf.engine.llama.kv_context import PromptProgress
from qwq_gguf.engine.writing import Generated

if TYPE_CHECKING:
    from qwq_gguf.engine.speculation.drafter import Drafter

__all__ = ["GuessingGeneration"]


class GuessingGeneration(Generation):
    """A `Generation` that guesses ahead."""

    def __init__(self, *given: Any, drafter: Drafter, **options: Any) -> None:
        """As `Generation`; `drafter` serves one text at a time."""
        super().__init__(*given, **options)
        self._drafter = drafter
        self.speculated: Speculated = Speculated()

    def interrupt(self) -> None:
        """End it at once (a prompt) or with its next token; from any thread."""
        super().interrupt()
        if not self._superseded:
            self._drafter.interrupt()

    def _read(self, prompt: list[int], on_prompt: PromptProgress | None) -> bool:
        going = super()._read(prompt, on_prompt)
        if going:
            self._drafter.begin(prompt)
        return going

    def _loop(self) -> Generator[Generated, None, None]:
        context, clock = self._context, time.perf_counter
        # The first token is of the prompt's last step, which counts there.
        token = yield from self._picks(())
        while token is not None:
            tokens, seconds, since = self.tokens, self.seconds, clock()
            guesses, drafted = self._guesses()
            if guesses:
                status = context.compute_guesses([token, *guesses])
            else:
                status = context.compute_token(token)
            self.seconds += clock() - since
            if status:
                self.finish_reason = why(status)
                if self.finish_reason is None:
                    context.check(status)
                return
            known = context.cached_tokens - len(guesses)
            try:
                token = yield from self._picks(guesses)
            finally:
                right = max(self.place, 0)
                context.cut_back(known + right)
                took = self.seconds - seconds
                self.speculated += Speculated(
                    steps=1,
                    tokens=self.tokens - tokens,
                    drafted=drafted,
                    accepted=right if drafted else 0,
                    seconds=took,
                    plain_steps=0 if guesses else 1,
                    plain_seconds=0.0 if guesses else took,
                )
            if drafted:
                self._drafter.verified(drafted, right)

    def _guesses(self) -> tuple[list[int], int]:
        """What is likely to come, and how much of it is guessed: what is forced is certain."""
        most = min(self.room - self.tokens, self._context.batch_size) - 1
        if most < 1:
            return [], 0
        if self._forced:
            return list(islice(self._forced, most)), 0
        guesses = self._drafter.draft(most)
        # Nothing comes after a token that ends the text.
        end = next((at for at, token in enumerate(guesses) if token in self._stops), len(guesses))
        return guesses[:end], end

    def _picks(self, guesses: Sequence[int]) -> Generator[Generated, None, int | None]:
        """The tokens that come of the step: one, and one more behind each guess that was right.

        Returns the last of them, or None where the text has ended.
        """
        context, clock = self._context, time.perf_counter
        place, since = 0, clock()
        while True:
            self.place = place if guesses else -1
            context.check_logits(self.place)
            picked = self._pick(context, self.place)
            self.seconds += clock() - since
            if picked is None:
                return None
            yield picked
            since = clock()
            context.owned.check()  # whoever reads may have closed it
            if context.abort.is_set():
                self.finish_reason = FinishReason.INTERRUPTED
                return None
            if self._at_limit():
                return None
            self._drafter.add(picked.token)
            if place == len(guesses) or picked.token != guesses[place]:
                self.seconds += clock() - since
                return picked.token
            place += 1
