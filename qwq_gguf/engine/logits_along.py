"""The logits along a reply, for looking at what a sampler chain would make of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwq_gguf.engine.session import Session
from qwq_gguf.sampling import Dry, Greedy, SamplerChain
from qwq_gguf.sampling.dry import breaker_tokens

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from qwq_gguf.engine.model import Model

__all__ = ["Position", "dry_breakers", "positions"]


@dataclass(frozen=True, slots=True, eq=False)
class Position:
    """A place in a reply: the tokens before it, and raw logits, one a token."""

    generated: tuple[int, ...]
    logits: npt.NDArray[np.float32]


def positions(session: Session, prompt: Sequence[int], *, most: int) -> Iterator[Position]:
    """The first `most` places of the reply that takes the model's best token at each.

    Fewer where the reply ends sooner; its end is none of them.
    """
    generated: list[int] = []
    best = SamplerChain((Greedy(),))
    with closing(session.generate(prompt, best, seed=0, max_tokens=most)) as generation:
        for token, _ in generation:
            yield Position(tuple(generated), session.logits())
            generated.append(token)


def dry_breakers(
    model: Model, chains: Iterable[SamplerChain]
) -> dict[int, tuple[tuple[int, ...], ...]]:
    """What a `Situation` has to know for the dry stages of these chains with this model.

    Where the chains' breakers differ, those of the first count.
    """
    stages = (chain.stage(Dry) for chain in chains)
    stage = next((stage for stage in stages if stage is not None and not stage.off), None)
    if stage is None:
        return {}
    pieces = [model.piece(token) for token in range(model.vocab_size)]
    return breaker_tokens(stage.breakers, pieces, model.vocabulary.encode_bytes)
