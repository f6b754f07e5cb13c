"""What a chain says of a stage that does nothing is so: without it the same token is taken."""

from __future__ import annotations

import random

import pytest

from qwq_gguf.sampling import (
    Dist,
    Greedy,
    MinP,
    Penalties,
    SamplerChain,
    Stage,
    Temperature,
    TopK,
    TopP,
    TypicalP,
)
from qwq_gguf.sampling.reference import Situation, apply_chain

PICKING: tuple[Stage, ...] = (Dist(), Greedy())


def best(stages: list[Stage], logits: list[float], situation: Situation) -> tuple[int, bool]:
    left = apply_chain(SamplerChain(tuple(stages)), logits, situation).as_dict()
    return max(left, key=lambda token: left[token]), len(left) == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_chain_does_the_same_without_a_stage_that_does_nothing(seed: int) -> None:
    dice = random.Random(seed)
    named = 0
    for _ in range(200):
        stages: list[Stage] = [
            Temperature(dice.choice([0.0, 0.6, 1.5])),
            TopK(dice.choice([1, 2, 3])),
            TopP(dice.choice([0.3, 0.6])),
            MinP(dice.choice([0.2, 0.5])),
            Penalties(repeat=1.5, window=8),
            TypicalP(0.5),
        ]
        dice.shuffle(stages)
        stages = [*stages[: dice.randint(1, 5)], dice.choice(PICKING)]
        logits = [dice.uniform(-2.0, 3.0) for _ in range(10)]
        situation = Situation(generated=tuple(dice.randrange(10) for _ in range(4)))
        for sentence in SamplerChain(tuple(stages)).notes():
            idle = sentence.split(" does nothing")[0]
            without = [stage for stage in stages if stage.name != idle]
            assert best(without, logits, situation) == best(stages, logits, situation), sentence
            named += 1
    assert named > 100
