"""One text being written: what is picked next, what is forced, and when it ends.

It knows nothing of how its logits come to be: a session computes one text, an engine many,
and each picks from where its text's last logits are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.chat.speculated import Speculated
from qwq_gguf.engine.llama.native_chain import NativeChain
from qwq_gguf.engine.llama.vocabulary import too_long
from qwq_gguf.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from qwq_gguf.engine.llama.kv_context import KvContext
    from qwq_gguf.engine.model import Model
    from qwq_gguf.engine.odds import Odds
    from qwq_gguf.sampling.chain import SamplerChain

__all__ = ["Driver", "Generated", "Writing"]

E = TypeVar("E", covariant=True)


class Driver(Protocol[E]):
    """What makes events of a generation's tokens, such as a `ReplyDriver`."""

    @property
    def done(self) -> bool:
        """Whether no token is wanted any more."""

    def begin(self, generation: Writing) -> None:
        """Before the first token."""

    def feed(self, token: int, piece: bytes) -> Iterator[E]:
        """The events of a token, before the next one is picked."""


class Generated(NamedTuple):
    """A generated token and the bytes it stands for."""

    token: int
    piece: bytes


class Writing:
    """A generation but for its computing; what may be done to it is in `Steered`.

    `finish_reason` is None until it has ended by itself; `end_token` is the token that
    ended it, which is not among those picked. `speculated` is what guessing ahead has brought.
    """

    def __init__(
        self,
        model: Model,
        prompt: Sequence[int],
        chain: SamplerChain,
        *,
        seed: int,
        max_tokens: int | None,
        stop_tokens: Collection[int],
    ) -> None:
        """ModelError for a prompt, seed or limit that makes no sense; PromptTooLongError."""
        if not prompt:
            raise ModelError("the prompt has no tokens")
        if len(prompt) >= model.context_size:
            raise too_long(f"{len(prompt)} tokens", model.context_size - 1)
        if min(prompt) < 0 or max(prompt) >= model.vocab_size:
            raise ModelError("the prompt has a token that the model lacks")
        if max_tokens is not None and max_tokens < 1:
            raise ModelError("max_tokens makes no sense", found=max_tokens)
        self.prompt_tokens = len(prompt)
        self.reused_tokens = 0
        self.tokens = 0
        self.seconds = 0.0
        self.prompt_seconds = 0.0
        self.finish_reason: FinishReason | None = None
        self.end_token: int | None = None
        self.speculated: Speculated | None = None
        self._room = model.context_size - len(prompt)
        self._most = model.context_size if max_tokens is None else max_tokens
        self._piece = model.piece
        self._stops = model.eog_tokens.union(stop_tokens)
        self._chain = NativeChain.of(model, chain, seed=seed, prompt=prompt)
        self._forced: deque[int] = deque()
        self._look: Callable[[npt.NDArray[np.float32]], None] | None = None
        self._goes_on: Callable[[int], bool] | None = None
        self._told: int | None = None
        self.odds: Odds | None = None

    @property
    def tokens_per_second(self) -> float:
        """Generated tokens a second of our own time: neither prompt nor consumer count."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0

    @property
    def room(self) -> int:
        """The most tokens that it may have, by its limit and by the context."""
        return min(self._most, self._room)

    def expect_thought(self, token: int | None, *, begun: bool) -> None:
        """Before the first token: a thought comes first; see `NativeChain.expect_thought`."""
        self._chain.expect_thought(token, begun=begun)

    def begin_answer(self) -> None:
        """The thought ended with the last token: a grammar for the answer acts from the next."""
        self._chain.begin_answer()

    def takes(self, tokens: Sequence[int]) -> bool:
        """Whether a grammar, where one acts now, lets these be the next tokens."""
        return self._chain.takes(tokens)

    def force(self, tokens: Sequence[int]) -> None:
        """Let these be the next tokens, as if the model had picked them."""
        self._forced.extend(tokens)

    def forbid(self, tokens: Collection[int]) -> None:
        """Do not pick any of these from now on; `force` may still say them."""
        self._chain.forbid(tokens)

    def bias(self, biases: Mapping[int, float]) -> None:
        """Add these to the raw logits from the next pick on, in the place of those before."""
        self._chain.bias(biases)

    def before_pick(self, look: Callable[[npt.NDArray[np.float32]], None] | None) -> None:
        """Show the raw logits to `look` before each pick; see `Steered`."""
        self._look = look

    def before_stop(self, goes_on: Callable[[int], bool] | None) -> None:
        """Ask whether to go on at a token that would end it; see `Steered`."""
        self._goes_on = goes_on

    def tell_odds(self, best: int) -> None:
        """From the next pick on know how likely each token was; see `Steered`."""
        self._told = best

    def _pick(self, context: KvContext, index: int = -1) -> Generated | None:
        """The next token, after those that were computed; None at the end of the text.

        `index` is the place of its logits, which are numbers, in the batch computed last.
        """
        while True:
            if self._look is not None and not self._forced:
                context.show_logits(self._look, index)
            if self._forced:
                token: int | None = self._next_forced()
            else:
                with context.owned as handle:
                    token = self._chain.sample(handle, index)
            if token is None:
                self.finish_reason = FinishReason.STOP
                return None
            if token in self._stops:
                if self._goes_on is not None and self._goes_on(token):
                    continue
                self.end_token = token
                self.finish_reason = FinishReason.STOP
                return None
            self.tokens += 1
            if self._told is not None:
                self._weigh(context, index, token, self._told)
            return Generated(token, self._piece(token))

    def _weigh(self, context: KvContext, index: int, token: int, best: int) -> None:
        from qwq_gguf.engine.odds import odds_of

        def see(logits: npt.NDArray[np.float32]) -> None:
            self.odds = odds_of(logits, token, best)

        context.show_logits(see, index)

    def _next_forced(self) -> int:
        token = self._forced.popleft()
        self._chain.accept(token)
        return token

    def _at_limit(self) -> bool:
        """Whether there may be no other token after those picked."""
        if self.tokens >= self._most:
            self.finish_reason = FinishReason.LENGTH
        elif self.tokens >= self._room:
            self.finish_reason = FinishReason.CONTEXT
        return self.finish_reason is not None
