"""What a responder needs of where its tokens come from: a session, or an engine's sequence."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from qwq_gguf.chat.events import FinishReason

if TYPE_CHECKING:
    from qwq_gguf.engine.writing import Driver, Generated
    from qwq_gguf.sampling.chain import SamplerChain

__all__ = ["Generates", "Generating"]

E = TypeVar("E")


class Generating(Protocol):
    """A generation; see `Generation` for what each is."""

    def __iter__(self) -> Iterator[Generated]:
        """The tokens, each picked when it is asked for."""

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why it has ended; None until then."""

    @property
    def reused_tokens(self) -> int:
        """Tokens of the prompt that were computed before."""

    def expect_thought(self, token: int | None, *, begun: bool) -> None:
        """Before the first token: a thought comes first."""

    def drive(self, reply: Driver[E]) -> Iterator[E]:
        """The events that a reply makes of the tokens."""

    def interrupt(self) -> None:
        """End it at once (a prompt) or with its next token; from any thread."""

    def close(self) -> None:
        """Stop here."""


class Generates(Protocol):
    """A `Session` or an `EngineSequence`; see there for what each is."""

    @property
    def context_size(self) -> int:
        """Tokens that prompt and generation may have together."""

    @property
    def cached_tokens(self) -> int:
        """Tokens in the KV cache."""

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
        """Continue a prompt."""

    def interrupt(self) -> None:
        """End the running generation."""

    def forget(self) -> None:
        """Empty the KV cache."""

    def close(self) -> None:
        """Free what it has."""
