"""When a thought is ended from outside, as numbers."""

from __future__ import annotations

from typing import Any

import pytest

from qwq_gguf.errors import ProfileError
from qwq_gguf.thinking import Governor
from qwq_gguf.thinking.governor import STANDARD_WORDS


def test_the_tag_stands_on_a_line_of_its_own() -> None:
    assert Governor(3, "").last_words == "\n"
    assert Governor(3, "  Enough.\n").last_words == "\nEnough.\n"
    assert Governor(3).last_words == f"\n{STANDARD_WORDS}\n"


def test_by_default_it_only_ends_what_would_give_no_answer() -> None:
    governor = Governor()
    assert governor.loops
    assert governor.reserve
    assert governor.budget is governor.seconds is governor.margin is None
    assert not governor.steers


@pytest.mark.parametrize(
    "values, steers",
    [
        ({"wind_down": 0.8}, True),
        ({"wind_down": 1.0}, False),
        ({"wind_down": 0.8, "wind_down_bias": 0.0}, False),
        ({"hesitation_penalty": 0.5}, True),
        ({"margin": 0.0}, True),
        ({"budget": 5, "seconds": 3.0}, False),
    ],
)
def test_what_acts_before_a_bound(values: dict[str, Any], steers: bool) -> None:
    assert Governor(**values).steers is steers


@pytest.mark.parametrize(
    "name, values",
    [
        ("budget", [-1, 1 << 25, 1.5, True, "9"]),
        ("reserve", [-1, 1 << 25, None]),
        ("seconds", [-1, float("inf"), float("nan"), "9", True]),
        ("wind_down", [-0.1, 1.1, True]),
        ("wind_down_bias", [-1, 101, None]),
        ("hesitation_penalty", [-1, 101, None]),
        ("margin", [-1, 101]),
        ("loops", [1, None]),
        ("answers", [0, "true"]),
        ("message", [1, "a" * 1001]),
    ],
)
def test_numbers_that_make_no_sense(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(ProfileError, match=f"governor: .*{name}"):
            Governor(**{name: value})
