"""A place for texts that remembers their tokens: what was read, and what was written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.engine.protocols import Generates, Generating

if TYPE_CHECKING:
    from qwq_gguf.engine.writing import Driver, Generated, Writing
    from qwq_gguf.sampling.chain import SamplerChain

__all__ = ["Round", "TappedPlace"]

E = TypeVar("E")


class Round:
    """One text: its prompt, and the tokens that were picked or forced after it."""

    def __init__(self, prompt: Sequence[int]) -> None:
        self.prompt = tuple(prompt)
        self.reply: list[int] = []


class TappedPlace:
    """A session, or an engine's sequence, whose texts are in `rounds` since `forget_rounds`."""

    def __init__(self, place: Generates) -> None:
        self._place = place
        self.rounds: list[Round] = []

    def forget_rounds(self) -> None:
        """A new reply begins."""
        self.rounds = []

    @property
    def context_size(self) -> int:
        """As that of what is tapped."""
        return self._place.context_size

    @property
    def cached_tokens(self) -> int:
        """As that of what is tapped."""
        return self._place.cached_tokens

    def generate(
        self,
        prompt: Sequence[int],
        chain: SamplerChain,
        *,
        seed: int,
        max_tokens: int | None = None,
        stop_tokens: Collection[int] = (),
        on_prompt: Callable[[int, int], None] | None = None,
    ) -> Generating:
        """Continue a prompt, and remember both."""
        generation = self._place.generate(
            prompt,
            chain,
            seed=seed,
            max_tokens=max_tokens,
            stop_tokens=stop_tokens,
            on_prompt=on_prompt,
        )
        self.rounds.append(Round(prompt))
        return _Tapped(generation, self.rounds[-1].reply)

    def interrupt(self) -> None:
        """End the running generation."""
        self._place.interrupt()

    def forget(self) -> None:
        """Empty the KV cache."""
        self._place.forget()

    def close(self) -> None:
        """Free what it has."""
        self._place.close()


class _Tapped:
    """A generation whose tokens are also written into a list, as they are fed to its reply."""

    def __init__(self, generation: Generating, tokens: list[int]) -> None:
        self._generation = generation
        self._tokens = tokens

    def __iter__(self) -> Iterator[Generated]:
        for generated in self._generation:
            self._tokens.append(generated.token)
            yield generated

    @property
    def finish_reason(self) -> FinishReason | None:
        return self._generation.finish_reason

    @property
    def reused_tokens(self) -> int:
        return self._generation.reused_tokens

    def expect_thought(self, token: int | None, *, begun: bool) -> None:
        self._generation.expect_thought(token, begun=begun)

    def drive(self, reply: Driver[E]) -> Iterator[E]:
        return self._generation.drive(_Listening(reply, self._tokens))

    def interrupt(self) -> None:
        self._generation.interrupt()

    def close(self) -> None:
        self._generation.close()


class _Listening(Generic[E]):
    """A driver that hears each token before it makes events of it."""

    def __init__(self, reply: Driver[E], tokens: list[int]) -> None:
        self._reply = reply
        self._tokens = tokens

    @property
    def done(self) -> bool:
        return self._reply.done

    def begin(self, generation: Writing) -> None:
        self._reply.begin(generation)

    def feed(self, token: int, piece: bytes) -> Iterator[E]:
        self._tokens.append(token)
        return self._reply.feed(token, piece)
