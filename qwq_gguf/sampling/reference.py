"""What a sampler chain does to logits, written out plainly.

Not used to generate text: the native chain does that, and is tested against this one.
It serves to show what a chain keeps, and to compare profiles at one position.

Each function below does what llama.cpp's sampler of that name does (src/llama-sampler.cpp
of llama.cpp 0c1e57098), in single precision like it, so that the same tokens survive.
Two things cannot be the same: the order of tokens with exactly equal logits, which
llama.cpp's sort leaves open (here the lower id goes first), and `typ_p` after masked
tokens, where llama.cpp computes NaN (here a masked token has no surprise).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from qwq_gguf.errors import ChainError
from qwq_gguf.sampling.candidates import (
    Candidates,
    Distribution,
    Situation,
    added,
    descending,
    distribution_of,
    f32,
)
from qwq_gguf.sampling.chain import SamplerChain
from qwq_gguf.sampling.dry import penalised_tokens
from qwq_gguf.sampling.gbnf_recogniser import Recogniser
from qwq_gguf.sampling.stages import (
    Dist,
    Dry,
    Grammar,
    Greedy,
    LogitBias,
    MinP,
    Penalties,
    Stage,
    Temperature,
    TopK,
    TopNSigma,
    TopP,
    TypicalP,
    Xtc,
)

__all__ = ["Distribution", "Situation", "apply_chain", "trace"]


def apply_chain(
    chain: SamplerChain, logits: npt.ArrayLike, situation: Situation | None = None
) -> Distribution:
    """The tokens that `chain` can pick after these logits, with their probabilities.

    `logits` is one number a token of the vocabulary. Raises ChainError for an empty or
    two-dimensional array, one without any finite logit, and where none is left.
    """
    situation = situation or Situation()
    xtc = chain.stage(Xtc)
    if xtc is None or xtc.off or situation.xtc_fires is not None:
        *_, (_, result) = trace(chain, logits, situation)
        return result
    mixed: Counter[int] = Counter()
    for fires, weight in ((True, xtc.probability), (False, 1.0 - xtc.probability)):
        branch = replace(situation, xtc_fires=fires)
        for token, probability in apply_chain(chain, logits, branch).as_dict().items():
            mixed[token] += weight * probability  # type: ignore[assignment]
    kept = {token: probability for token, probability in mixed.items() if probability > 0}
    return descending(np.array(list(kept)), np.array(list(kept.values())))


def trace(
    chain: SamplerChain, logits: npt.ArrayLike, situation: Situation | None = None
) -> Iterator[tuple[Stage, Distribution]]:
    """What is left after each stage in turn, the probabilities as they are there."""
    situation = situation or Situation()
    values = np.array(logits, dtype=f32)
    if values.ndim != 1 or not values.size or not np.isfinite(values).any():
        raise ChainError("the chain needs one logit a token", found=f"shape {values.shape}")
    candidates = Candidates(np.arange(values.size, dtype=np.int64), values)
    for stage in chain.stages:
        if not stage.off:
            _APPLY[type(stage)](candidates, stage, situation)
        yield stage, distribution_of(candidates)


_APPLY: dict[type[Stage], Callable[[Candidates, Any, Situation], None]] = {}


def _does(
    kind: type[Stage],
) -> Callable[[Callable[[Candidates, Any, Situation], None]], Callable[..., None]]:
    """What a kind of stage does; a new one is one more function under this."""

    def note(apply: Callable[[Candidates, Any, Situation], None]) -> Callable[..., None]:
        _APPLY[kind] = apply
        return apply

    return note


@_does(LogitBias)
def _logit_bias(c: Candidates, stage: LogitBias, _: Situation) -> None:
    biases = stage.by_id()
    c.logits = c.logits + np.array([biases.get(token, 0.0) for token in c.ids.tolist()], dtype=f32)
    c.ordered = False
    _only(c, c.logits > -np.inf, stage)


@_does(Grammar)
def _grammar(c: Candidates, stage: Grammar, situation: Situation) -> None:
    if situation.bound is None:
        return
    recogniser = Recogniser(stage.rules)
    reading = recogniser.begin()
    for token in situation.bound:
        after = recogniser.read(reading, situation.pieces[token])
        if after is None:
            raise ChainError("the grammar does not allow what was generated", found=token)
        reading = after
    allowed = recogniser.allowed(reading, situation.pieces, situation.ends)
    _only(c, np.isin(c.ids, list(allowed)), stage)


def _only(c: Candidates, kept: npt.NDArray[np.bool_], stage: Stage) -> None:
    if not kept.any():
        raise ChainError(f"{stage.name} leaves no token")
    c.keep(kept)


@_does(Penalties)
def _penalties(c: Candidates, stage: Penalties, situation: Situation) -> None:
    counted = Counter(stage.counted(situation.prompt, situation.generated))
    by_id = np.zeros(int(c.ids.max()) + 1, dtype=f32)
    for token, count in counted.items():
        if 0 <= token < by_id.size:
            by_id[token] = count
    counts = by_id[c.ids]
    seen = counts > 0
    repeated = np.where(c.logits <= 0, c.logits * f32(stage.repeat), c.logits / f32(stage.repeat))
    lowered = repeated - (counts * f32(stage.frequency) + f32(stage.presence))
    c.logits = np.where(seen, lowered, c.logits).astype(f32)
    c.ordered = False


@_does(Dry)
def _dry(c: Candidates, stage: Dry, situation: Situation) -> None:
    tokens = stage.counted(situation.prompt, situation.generated)
    lowered = penalised_tokens(stage, tokens, situation.dry_breakers or {})
    for index, token in enumerate(c.ids.tolist()):
        if token in lowered:
            c.logits[index] -= f32(lowered[token])
            c.ordered = False


@_does(TopNSigma)
def _top_n_sigma(c: Candidates, stage: TopNSigma, _: Situation) -> None:
    valid = c.logits[c.logits != -np.inf]
    mean = added(valid) / f32(valid.size)
    spread = np.sqrt(f32(((valid - mean).astype(np.float64) ** 2).sum()) / f32(valid.size))
    lowest = valid.max() - f32(stage.n) * spread
    c.logits = np.where(c.logits < lowest, f32(-np.inf), c.logits)


@_does(TopK)
def _top_k(c: Candidates, stage: TopK, _: Situation) -> None:
    c.order()
    c.keep(slice(0, stage.k))


@_does(TypicalP)
def _typical_p(c: Candidates, stage: TypicalP, _: Situation) -> None:
    c.order()
    p = c.probabilities()
    with np.errstate(divide="ignore"):
        surprise = np.where(p > 0, -np.log(p), f32(0))
    expected = added(p * surprise)
    nearest = np.argsort(np.abs(surprise - expected), kind="stable")
    over = np.flatnonzero(np.cumsum(p[nearest], dtype=f32) > f32(stage.p))
    c.keep(nearest[: over[0] + 1] if over.size else nearest)
    c.ordered = False


@_does(TopP)
def _top_p(c: Candidates, stage: TopP, _: Situation) -> None:
    p = c.probabilities()
    if not c.ordered:
        order = np.argsort(-c.logits, kind="stable")
        c.keep(order)
        c.ordered, p = True, p[order]
    enough = np.flatnonzero(np.cumsum(p, dtype=f32) >= f32(stage.p))
    if enough.size:
        c.keep(slice(0, enough[0] + 1))


@_does(MinP)
def _min_p(c: Candidates, stage: MinP, _: Situation) -> None:
    c.keep(c.logits >= c.logits.max() + np.log(f32(stage.p)))


@_does(Xtc)
def _xtc(c: Candidates, stage: Xtc, situation: Situation) -> None:
    if not situation.xtc_fires or c.ids.size < 2:
        return
    c.order()
    least = int(np.count_nonzero(c.probabilities() >= f32(stage.threshold))) - 1
    if least > 0:
        c.keep(slice(least, None))


@_does(Temperature)
def _temperature(c: Candidates, stage: Temperature, _: Situation) -> None:
    t = f32(stage.t)
    if stage.range > 0:
        if c.ids.size <= 1:
            return
        c.order()
        p = c.probabilities()
        entropy = added(p * np.where(p > 0, -np.log(np.where(p > 0, p, f32(1))), f32(0)))
        most = -np.log(f32(1) / f32(p.size))
        low, high = max(f32(0), t - f32(stage.range)), t + f32(stage.range)
        t = low + (high - low) * np.power(entropy / most, f32(stage.exponent))
    if t > 0:
        c.logits = c.logits / t
        return
    best = int(np.argmax(c.logits))
    c.logits = np.where(np.arange(c.logits.size) == best, c.logits, f32(-np.inf))


@_does(Greedy)
def _greedy(c: Candidates, _stage: Greedy, _: Situation) -> None:
    best = int(np.argmax(c.logits))
    c.keep(slice(best, best + 1))


@_does(Dist)
def _dist(_candidates: Candidates, _stage: Dist, _: Situation) -> None:
    """Draws by the probabilities as they are."""
