"""Prompts that come together begin together, and none waits long for others."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from qwq_gguf.engine.batching.engine import Engine
from qwq_gguf.engine.batching.gathering import Gathering
from qwq_gguf.engine.batching.limits import Limits
from qwq_gguf.engine.batching.scheduler import Scheduler
from qwq_gguf.engine.llama.shared_context import Piece
from qwq_gguf.engine.model import Model
from qwq_gguf.sampling import Greedy, SamplerChain


def test_it_waits_for_a_small_part_of_what_the_prompts_take() -> None:
    gathering = Gathering()
    assert gathering.patience(16) == 0  # nothing is known yet
    gathering.learn(64, 0.8)
    assert gathering.patience(64) == pytest.approx(0.04)
    assert gathering.patience(16) == pytest.approx(0.01)
    assert gathering.patience(2000) == gathering.patience(
        64
    )  # it takes longer, nobody knows by how much
    assert gathering.patience(0) == 0


def test_a_short_step_does_not_make_it_forget_what_a_long_one_took() -> None:
    gathering = Gathering()
    gathering.learn(256, 4.0)
    for _ in range(8):  # pieces beside tokens of others
        gathering.learn(40, 0.8)
    assert gathering.patience(128) == pytest.approx(0.1)
    assert gathering.patience(16) == pytest.approx(0.016)
    for _ in range(100):  # a machine that has become faster
        gathering.learn(40, 0.1)
    assert gathering.patience(128) == pytest.approx(0.005)


def test_it_never_waits_long() -> None:
    gathering = Gathering()
    gathering.learn(512, 60.0)
    assert gathering.patience(512) == pytest.approx(0.1)


def test_what_counts_are_tokens_to_compute_while_nobody_reads_and_places_are_free() -> None:
    limits = Limits(running=3, seats=5, cells=200, batch=32, chunk=8, waiting=9)
    scheduler = Scheduler(limits)
    assert scheduler.new_tokens == 0
    first = scheduler.join([1, 2, 3])
    assert scheduler.new_tokens == 3
    second = scheduler.join([4, 5])
    assert scheduler.new_tokens == 5
    second.ready = False
    assert scheduler.new_tokens == 3
    second.ready = True
    scheduler.join([6])
    assert scheduler.new_tokens == 0  # there is no place for a fourth

    scheduler.leave(second)
    step = scheduler.plan()
    scheduler.done(step.runs)
    scheduler.join([7, 8])
    assert scheduler.new_tokens == 0  # the first is read
    scheduler.leave(first)
    again = scheduler.join([1, 2, 9])
    assert scheduler.new_tokens == 0  # so is another
    for text in scheduler.running:
        text.ready = False
    scheduler.leave(scheduler.waiting[0])
    assert again.ready
    assert scheduler.new_tokens == 1  # two are in the cache


def test_the_first_step_has_all_of_them(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[list[int]] = []
    with Engine(model, sequences=3) as engine:
        loop = engine._loop
        compute = loop._work._context.compute

        def noted(pieces: Sequence[Piece]) -> int:
            steps.append([len(piece.tokens) for piece in pieces])
            return compute(pieces)

        monkeypatch.setattr(loop._work._context, "compute", noted)
        loop._work._gathering = Gathering(most=60.0)
        loop._work._gathering.learn(1, 1e6)
        made = [
            engine.sequence().generate(
                [start, 5, 6], SamplerChain((Greedy(),)), seed=1, max_tokens=1
            )
            for start in (2, 3, 4)
        ]
        for generation in made:  # as their readers' threads do, some time apart
            loop.join(generation)
            time.sleep(0.02)
        for generation in made:
            generation._joined = True
            assert len([generation._outbox.get(timeout=30)]) == 1
    assert steps[0] == [3, 3, 3]
