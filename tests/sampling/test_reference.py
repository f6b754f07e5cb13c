"""The reference against numbers worked out by hand, and against its own laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.errors import ChainError
from qwq_gguf.profiles import load_profile
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
from qwq_gguf.sampling.reference import Situation, apply_chain, trace

P = [0.45, 0.22, 0.13, 0.09, 0.05, 0.035, 0.025]


def kept(*stages: Stage, p: list[float] | None = None, **situation: object) -> dict[int, float]:
    chain = SamplerChain((*stages, Dist()))
    result = apply_chain(chain, np.log(p or P), Situation(**situation))  # type: ignore[arg-type]
    return {token: round(value, 4) for token, value in result.as_dict().items()}


def test_without_stages_it_is_the_softmax() -> None:
    assert kept() == {token: pytest.approx(p, abs=1e-4) for token, p in enumerate(P)}


def test_temperature_first_leaves_four_tokens_where_top_p_first_leaves_six() -> None:
    """The difference between the model card's meaning and llama.cpp's default order."""
    assert len(kept(TopP(0.95), Temperature(0.6))) == 6
    assert len(kept(Temperature(0.6), TopP(0.95))) == 4


def test_temperature_divides_logits() -> None:
    sharp = [p**2 for p in P]
    expected = {token: round(p / sum(sharp), 4) for token, p in enumerate(sharp)}
    assert kept(Temperature(0.5)) == expected
    assert kept(Temperature(0.0)) == {0: 1.0}


@pytest.mark.parametrize(
    "stage, tokens",
    [
        (TopK(3), [0, 1, 2]),
        (TopK(0), [0, 1, 2, 3, 4, 5, 6]),
        (TopK(99), [0, 1, 2, 3, 4, 5, 6]),
        (TopP(0.45), [0]),
        (TopP(0.66), [0, 1]),
        (TopP(0.68), [0, 1, 2]),
        (TopP(1.0), [0, 1, 2, 3, 4, 5, 6]),
        (MinP(0.19), [0, 1, 2, 3]),  # 0.19 * 0.45 = 0.0855
        (MinP(1.0), [0]),
        # Surprises -ln p: .80 1.51 2.04 2.41 3.00 3.35 3.69; their mean by p is 1.535, so
        # the nearest are tokens 1, 2, 0, 3: mass .22, .35, .80, .89.
        (TypicalP(0.2), [1]),
        (TypicalP(0.3), [1, 2]),
        (TypicalP(0.5), [0, 1, 2]),
        (TypicalP(0.85), [0, 1, 2, 3]),
    ],
)
def test_truncation(stage: Stage, tokens: list[int]) -> None:
    result = kept(stage)
    assert sorted(result) == tokens
    mass = sum(P[token] for token in tokens)
    for token in tokens:
        assert result[token] == pytest.approx(P[token] / mass, abs=1e-4)


def test_top_n_sigma_keeps_what_is_near_the_best() -> None:
    logits = [10.0, 9.0, 8.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    # mean 3.375, variance 19.23, sigma 4.386
    for n, count in ((0.2, 1), (0.3, 2), (1.0, 3), (3.0, 8)):
        chain = SamplerChain((TopNSigma(n), Dist()))
        assert len(apply_chain(chain, logits).ids) == count


def test_penalties_by_hand() -> None:
    chain = SamplerChain((Penalties(repeat=2.0, frequency=0.5, presence=0.25), Dist()))
    logits = [2.0, -1.0, 0.0, 1.0]
    result = apply_chain(chain, logits, Situation(generated=[0, 0, 1, 2])).as_dict()
    # 0: 2/2 - 2*.5 - .25; 1: -1*2 - .5 - .25; 2: 0 - .5 - .25; 3: untouched
    weights = [math.exp(x) for x in (-0.25, -2.75, -0.75, 1.0)]
    for token, weight in enumerate(weights):
        assert result[token] == pytest.approx(weight / sum(weights), abs=1e-6)


@pytest.mark.parametrize(
    "window, lowered",
    [("generation", {3}), ("context", {1, 2, 3}), (1, {3}), (2, {2, 3}), (0, set())],
)
def test_the_window_of_penalties(window: object, lowered: set[int]) -> None:
    stage = Penalties(presence=1.0, window=window)  # type: ignore[arg-type]
    chain = SamplerChain((stage, Dist()))
    result = apply_chain(chain, [0.0] * 5, Situation(prompt=[1, 2], generated=[3])).as_dict()
    best = max(result.values())
    assert {token for token, p in result.items() if p < best * 0.9} == lowered


def test_a_penalty_after_truncation_lets_nothing_in_and_before_it_does() -> None:
    penalty, truncation = Penalties(presence=2.0), TopK(2)
    assert set(kept(truncation, penalty, generated=[0, 1])) == {0, 1}
    assert set(kept(penalty, truncation, generated=[0, 1])) == {2, 3}


def test_xtc_drops_all_likely_tokens_but_the_least() -> None:
    assert set(kept(Xtc(1.0, 0.1), xtc_fires=True)) == {2, 3, 4, 5, 6}
    assert set(kept(Xtc(0.5, 0.1), xtc_fires=False)) == set(range(7))
    assert set(kept(Xtc(1.0, 0.46), xtc_fires=True)) == set(range(7))
    assert set(kept(Xtc(1.0, 0.45), xtc_fires=True)) == set(range(7))
    assert set(kept(Xtc(1.0, 0.51), xtc_fires=True)) == set(range(7))


def test_xtc_undecided_weighs_both_outcomes() -> None:
    fired, not_fired = kept(Xtc(0.25, 0.1), xtc_fires=True), kept(Xtc(0.25, 0.1), xtc_fires=False)
    mixed = kept(Xtc(0.25, 0.1))
    for token in range(7):
        expected = 0.25 * fired.get(token, 0) + 0.75 * not_fired[token]
        assert mixed[token] == pytest.approx(expected, abs=2e-4)


def test_dynamic_temperature_is_hot_where_the_model_wavers() -> None:
    stage = Temperature(0.6, range=0.4)
    # All alike: the entropy is the highest possible, so t is 1.0; one token: t is 0.2.
    assert kept(stage, p=[0.25] * 4) == {0: 0.25, 1: 0.25, 2: 0.25, 3: 0.25}
    sure = kept(stage, p=[0.9999, 0.0001])
    assert sure[0] == 1.0
    entropy = -sum(p * math.log(p) for p in P) / math.log(7)
    t = 0.2 + 0.8 * entropy
    sharp = [p ** (1 / t) for p in P]
    assert kept(stage)[0] == pytest.approx(sharp[0] / sum(sharp), abs=2e-4)


def test_greedy_takes_the_best_and_of_equals_the_first() -> None:
    for logits, best in (([0.0, 2.0, 1.0], 1), ([3.0, 3.0, 3.0], 0), ([-math.inf, -5.0], 1)):
        assert apply_chain(SamplerChain((Greedy(),)), logits).as_dict() == {best: 1.0}


def test_dry_lowers_what_would_repeat() -> None:
    # ... 1 2 3 ... 1 2 3: token 4 followed, and would make the repeat four long.
    chain = SamplerChain((Dry(1.0, base=2.0, allowed_length=2, window="context"), Dist()))
    situation = Situation(generated=[1, 2, 3, 4, 9, 1, 2, 3])
    result = apply_chain(chain, [0.0] * 10, situation).as_dict()
    assert result[4] / result[5] == pytest.approx(math.exp(-2.0), abs=1e-6)  # 2 ** (3 - 2)
    assert sum(p < result[5] * 0.999 for p in result.values()) == 1


def test_trace_shows_what_each_stage_leaves() -> None:
    chain, situation = load_profile("qwq").chain, Situation(generated=[0])
    steps = list(trace(chain, np.log(P), situation))
    assert [stage.name for stage, _ in steps] == list(chain.order)
    assert [len(left.ids) for _, left in steps] == [7, 7, 4, 4, 4, 4]
    assert (
        steps[-1][1].as_dict() == apply_chain(chain, np.log(P), Situation(generated=[0])).as_dict()
    )


@pytest.mark.parametrize("logits", [[], [[1.0]], [-math.inf], [math.nan]])
def test_no_logits_no_tokens(logits: object) -> None:
    with pytest.raises(ChainError):
        apply_chain(SamplerChain((Dist(),)), logits)  # type: ignore[arg-type]


LOGITS = st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=40)
STAGES = st.permutations(
    [
        Penalties(repeat=1.1, presence=0.5, window="context"),
        TopNSigma(1.5),
        TopK(10),
        TypicalP(0.9),
        TopP(0.9),
        MinP(0.05),
        Xtc(0.5, 0.1),
        Temperature(0.7, range=0.2),
    ]
)


@given(LOGITS, STAGES, st.integers(0, 8))
def test_any_order_leaves_a_distribution(logits: list[float], stages: list[Stage], n: int) -> None:
    chain = SamplerChain((*stages[:n], Dist()))
    result = apply_chain(chain, logits, Situation(generated=[0, 1]))
    assert result.ids.size >= 1
    assert len(set(result.ids.tolist())) == result.ids.size
    assert result.probabilities.sum() == pytest.approx(1.0)
    assert (np.diff(result.probabilities) <= 0).all()
    # No stage but a penalty or xtc can lose the best token.
    if n and not any(isinstance(s, (Penalties, Xtc, TypicalP)) for s in stages[:n]):
        assert max(logits) == pytest.approx(logits[result.ids[0]])
