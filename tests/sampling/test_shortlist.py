"""Which tokens a chain need not look at."""

from __future__ import annotations

import math

import pytest

from qwq_gguf import load_profile
from qwq_gguf.sampling import (
    Dist,
    Greedy,
    LogitBias,
    MinP,
    Penalties,
    SamplerChain,
    Temperature,
    TopK,
    TopP,
)
from qwq_gguf.sampling.shortlist import Shortlist, shortlist
from qwq_gguf.sampling.stages import Stage


@pytest.mark.parametrize(
    ("stages", "found"),
    [
        ((Greedy(),), Shortlist(best=1)),
        ((Temperature(0.6), TopK(40), TopP(0.9), Dist()), Shortlist(best=40)),
        ((Penalties(repeat=1.0), TopP(1.0), TopK(20), Dist()), Shortlist(best=20)),
        ((Temperature(0.0), Dist()), Shortlist(best=1)),
        ((TopK(0), Temperature(0.0), TopP(0.9), Dist()), Shortlist(best=1)),
        ((TopK(513), Dist()), None),
        ((Temperature(0.6, range=0.2), TopK(40), Dist()), None),
        ((Penalties(repeat=1.1), TopK(40), Dist()), None),
        ((TopP(0.9), TopK(40), Dist()), Shortlist(mass=0.9)),
        ((Temperature(0.5), TopP(0.9), MinP(0.1), Dist()), Shortlist(mass=0.9, scale=0.5)),
        ((Temperature(0.5, range=0.2), TopP(0.9), Dist()), None),
        ((LogitBias(((3, 1.0),)), Greedy()), None),
        ((Temperature(0.6), Dist()), None),
    ],
)
def test_up_to_the_first_cut_only_temperature_may_come(
    stages: tuple[Stage, ...], found: Shortlist | None
) -> None:
    assert shortlist(SamplerChain(stages)) == found


def test_how_far_behind_the_best_min_p_keeps_tokens() -> None:
    found = shortlist(SamplerChain((Temperature(0.4), MinP(0.05), Dist())))
    assert found is not None
    assert found.within == pytest.approx(-0.4 * math.log(0.05))


def test_the_profiles_that_most_use_have_one() -> None:
    assert shortlist(load_profile("qwq").chain) == Shortlist(best=40)
    for name in ("qwen-reference", "qwen-llama-cpp", "llama-cpp", "unsloth", "deepseek-r1"):
        assert shortlist(load_profile(name).chain) is not None, name
