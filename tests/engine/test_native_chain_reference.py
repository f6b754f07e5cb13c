"""Stage by stage and in many orders, llama.cpp's chain keeps what the reference keeps.

Raw logits go into both. The tokens left and their probabilities must agree to what single
precision allows; a token on the very edge of a truncation may fall either way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from qwq_gguf.engine.llama.native_chain import NativeChain
from qwq_gguf.engine.model import Model
from qwq_gguf.profiles import load_profile, profile_names
from qwq_gguf.sampling import (
    Dist,
    Dry,
    Greedy,
    MinP,
    Penalties,
    SamplerChain,
    Stage,
    Temperature,
    TopK,
    TopNSigma,
    TopP,
    TypicalP,
    Xtc,
)
from qwq_gguf.sampling.dry import breaker_tokens
from qwq_gguf.sampling.reference import Situation, apply_chain

# An edge is this near: relative to the mass or logit compared with the stage's number.
EDGE = 2e-6
SEEDS = range(6)


def drawn_logits(seed: int, size: int, scale: float = 3.0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, scale, size).astype(np.float32)


def drawn_tokens(seed: int, size: int, count: int) -> list[int]:
    tokens: list[int] = np.random.default_rng(1000 + seed).integers(0, size, count).tolist()
    return tokens


def compare(
    model: Model,
    chain: SamplerChain,
    logits: npt.NDArray[np.float32],
    *,
    prompt: Sequence[int] = (),
    generated: Sequence[int] = (),
    xtc_fires: bool | None = None,
    dry_breakers: dict[int, tuple[tuple[int, ...], ...]] | None = None,
) -> None:
    situation = Situation(prompt, generated, xtc_fires, dry_breakers)
    expected = apply_chain(chain, logits, situation).as_dict()
    with NativeChain(
        model.library,
        chain,
        seed=7,
        vocab_size=len(logits),
        context_size=4096,
        vocabulary=model.vocabulary,
        prompt=prompt,
    ) as native:
        for token in generated:
            native.accept(token)
        picked = native.apply(logits.tolist())
    if isinstance(chain.stages[-1], Greedy):
        assert expected == {picked.token: 1.0}
        return
    got = {token: p for token, p in picked.kept if p > 0}
    assert picked.token in got
    # Probabilities below what a float32 exponential resolves are noise on both sides.
    for token in expected.keys() ^ got.keys():
        assert max(expected.get(token, 0.0), got.get(token, 0.0)) < EDGE, (token, chain.order)
    for token in expected.keys() & got.keys():
        assert got[token] == pytest.approx(expected[token], rel=2e-4, abs=EDGE), chain.order


SINGLE: list[Stage] = [
    Penalties(repeat=1.3, window="context"),
    Penalties(repeat=0.8, window="generation"),
    Penalties(frequency=0.4, window=5),
    Penalties(presence=1.0, window=17),
    Penalties(repeat=1.1, frequency=-0.2, presence=1.5, window="context"),
    TopNSigma(0.7),
    TopNSigma(1.5),
    TopK(1),
    TopK(7),
    TopK(200),
    TopP(0.3),
    TopP(0.95),
    MinP(0.01),
    MinP(0.3),
    TypicalP(0.2),
    TypicalP(0.9),
    Temperature(0.6),
    Temperature(1.7),
    Temperature(0.0),
    Temperature(0.6, range=0.4),
    Temperature(0.5, range=0.8, exponent=2.5),
]


@pytest.mark.parametrize("final", [Dist(), Greedy()])
@pytest.mark.parametrize("stage", SINGLE, ids=str)
def test_each_stage(model: Model, stage: Stage, final: Stage) -> None:
    for seed in SEEDS:
        size = model.vocab_size
        compare(
            model,
            SamplerChain((stage, final)),
            drawn_logits(seed, size),
            prompt=drawn_tokens(seed, size, 9),
            generated=drawn_tokens(seed + 50, size, 30),
        )


def shuffled(seed: int) -> tuple[Stage, ...]:
    """A chain of some stages with drawn numbers in a drawn order."""
    rng = np.random.default_rng(seed)
    stages: list[Stage] = [
        Temperature(float(rng.uniform(0.3, 1.5)), range=float(rng.choice([0.0, 0.3]))),
        TopK(int(rng.integers(5, 100))),
        TopP(float(rng.uniform(0.5, 0.99))),
        MinP(float(rng.uniform(0.001, 0.2))),
        TypicalP(float(rng.uniform(0.5, 0.99))),
        TopNSigma(float(rng.uniform(0.5, 3.0))),
        Penalties(
            repeat=float(rng.uniform(1.0, 1.3)),
            presence=float(rng.uniform(0.0, 1.5)),
            frequency=float(rng.uniform(0.0, 0.3)),
            window=("generation", "context", 8)[rng.integers(3)],
        ),
    ]
    rng.shuffle(stages)
    stages = stages[: rng.integers(2, len(stages) + 1)]
    names = [stage.name for stage in stages]
    if {"typ_p", "top_n_sigma"} <= set(names) and names.index("top_n_sigma") < names.index("typ_p"):
        # There llama.cpp computes NaN; chains warn about it.
        stages = [stage for stage in stages if not isinstance(stage, TypicalP)]
    return (*stages, Dist())


@pytest.mark.parametrize("seed", range(60))
def test_any_order(model: Model, seed: int) -> None:
    size = model.vocab_size
    compare(
        model,
        SamplerChain(shuffled(seed)),
        drawn_logits(seed, size, scale=(1.0, 3.0, 6.0)[seed % 3]),
        prompt=drawn_tokens(seed, size, 12),
        generated=drawn_tokens(seed + 50, size, 40),
    )


def at_work(name: str) -> tuple[type[Stage], ...]:
    """The stages of a profile that do something, in their order."""
    return tuple(type(stage) for stage in load_profile(name).chain.stages if not stage.off)


def one_of_each_order() -> list[str]:
    """Profiles that stand for those with the same stages at work."""
    return sorted({at_work(name): name for name in reversed(profile_names())}.values())


# Sorting all of it, as chains without a top_k do, takes the reference seconds: one does.
SORTING = [name for name in one_of_each_order() if TopK not in at_work(name)]


@pytest.mark.parametrize("name", one_of_each_order())
def test_shipped_profiles_on_a_large_vocabulary(model: Model, name: str) -> None:
    chain = load_profile(name).chain
    size = 20_000 if name in SORTING[1:] else 151_936
    for seed in range(1 if name in SORTING else 3):
        compare(
            model,
            chain,
            drawn_logits(seed, size, scale=2.5),
            prompt=drawn_tokens(seed, size, 300),
            generated=drawn_tokens(seed + 9, size, 2000),
        )


def test_the_order_makes_the_difference_that_the_reference_says(model: Model) -> None:
    logits = np.log(np.array([0.45, 0.22, 0.13, 0.09, 0.05, 0.035, 0.025], dtype=np.float32))
    for stages, count in (
        ((TopP(0.95), Temperature(0.6)), 6),
        ((Temperature(0.6), TopP(0.95)), 4),
    ):
        chain = SamplerChain((*stages, Dist()))
        compare(model, chain, logits)
        assert len(apply_chain(chain, logits).ids) == count


@pytest.mark.parametrize("threshold", [0.02, 0.1, 0.5, 0.6])
@pytest.mark.parametrize("place", range(3))
def test_xtc_when_it_is_sure_to_fire(model: Model, place: int, threshold: float) -> None:
    stages: list[Stage] = [Temperature(0.8), TopK(30)]
    stages.insert(place, Xtc(1.0, threshold))
    for seed in SEEDS:
        chain = SamplerChain((*stages, Dist()))
        compare(model, chain, drawn_logits(seed, model.vocab_size), xtc_fires=True)


def test_xtc_fires_as_often_as_it_says(model: Model) -> None:
    logits = np.log(np.array([0.5, 0.3, 0.2], dtype=np.float32))
    chain = SamplerChain((Xtc(0.3, 0.1), Dist()))
    counts: Counter[int] = Counter()
    with NativeChain(model.library, chain, seed=3, vocab_size=3, context_size=64) as native:
        for _ in range(4000):
            counts[native.apply(logits.tolist()).token] += 1
    for token, probability in apply_chain(chain, logits).as_dict().items():
        # Four standard deviations; the seed is fixed.
        assert abs(counts[token] / 4000 - probability) < 4 * (probability / 4000) ** 0.5


def test_tokens_are_drawn_as_often_as_their_probability_says(model: Model) -> None:
    logits = drawn_logits(5, model.vocab_size)
    chain = load_profile("qwq").chain
    expected = apply_chain(chain, logits, Situation(generated=[1, 2, 3])).as_dict()
    counts: Counter[int] = Counter()
    with NativeChain(
        model.library, chain, seed=11, vocab_size=len(logits), context_size=64
    ) as native:
        for token in (1, 2, 3):
            native.accept(token)
        for _ in range(3000):
            counts[native.apply(logits.tolist()).token] += 1
    assert set(counts) <= set(expected)
    for token, probability in expected.items():
        deviation = (probability * (1 - probability) / 3000) ** 0.5
        assert abs(counts[token] / 3000 - probability) < 4 * deviation + 1e-3


@pytest.mark.parametrize("seed", range(12))
def test_dry(model: Model, seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = model.vocab_size
    stage = Dry(
        multiplier=float(rng.uniform(0.3, 1.5)),
        base=float(rng.uniform(1.1, 2.5)),
        allowed_length=int(rng.integers(0, 4)),
        window=("generation", "context", 20)[seed % 3],
        breakers=(("\n", ":", '"', "*"), (), ("a", "bc"))[seed % 3],
    )
    # Few different tokens, so that much repeats, and some of them hold breakers.
    alphabet = rng.choice(size, 4, replace=False).tolist()
    prompt = rng.choice(alphabet, 10).tolist()
    generated = rng.choice(alphabet, 60).tolist()
    chain = SamplerChain((stage, TopK(50), Dist()))
    vocabulary = model.vocabulary
    breakers = breaker_tokens(
        stage.breakers,
        [model.piece(token) for token in range(size)],
        lambda text: vocabulary.encode_text(text.decode()),
    )
    compare(
        model,
        chain,
        drawn_logits(seed, size),
        prompt=prompt,
        generated=generated,
        dry_breakers=breakers,
    )
