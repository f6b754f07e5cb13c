"""Which replies ./scripts/measure_governor asks for again under a governor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from measure_governor import may_act

from qwq_gguf.evaluation.asking.sample import Sample
from qwq_gguf.thinking import Governor

PLAIN = Sample(
    model="",
    profile="qwq",
    governor="off",
    key="add:1+2",
    skill="add",
    sample=0,
    seed=1,
    right=True,
    found="3",
    why=None,
    answered=True,
    looped=False,
    thought_tokens=60,
    reply_tokens=80,
    prompt_tokens=20,
    calls=0,
    thought_ended="closed",
    finish_reason="stop",
    seconds=0.1,
    thought="1+2:",
    answer="3",
)


def test_a_reply_that_ended_well_is_what_it_would_be() -> None:
    assert not may_act(PLAIN, Governor(), 400)
    assert not may_act(replace(PLAIN, thought_tokens=0, thought_ended="none"), Governor(), 400)
    assert not may_act(replace(PLAIN, finish_reason="length"), Governor(), 400)


@pytest.mark.parametrize(
    "otherwise",
    [
        {"looped": True},
        {"answered": False},  # the model ended its turn behind the closing tag
        {"thought_ended": "stop"},
        {"thought_ended": "length", "finish_reason": "length"},
        {"finish_reason": "context"},
        {"thought_tokens": 201},  # the answer's room may begin there
    ],
    ids=str,
)
def test_what_a_governor_may_mend_is_asked_again(otherwise: dict[str, Any]) -> None:
    assert may_act(replace(PLAIN, **otherwise), Governor(), 400)


@pytest.mark.parametrize(
    "governor",
    [Governor(budget=59), Governor(seconds=60), Governor(hesitation_penalty=1), Governor(margin=1)],
)
def test_one_that_is_always_there_is_asked_in_full(governor: Governor) -> None:
    assert may_act(PLAIN, governor, 400)
    assert not may_act(PLAIN, Governor(budget=60), 400)
