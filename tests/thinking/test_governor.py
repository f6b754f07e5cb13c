"""When a thought is ended from outside."""

from __future__ import annotations

import pytest

from qwq_gguf.errors import ProfileError
from qwq_gguf.thinking import Governor


def test_a_budget_ends_a_thought_that_reaches_it() -> None:
    assert [Governor(3).ends(tokens) for tokens in (0, 2, 3, 4)] == [False, False, True, True]
    assert not Governor().ends(10**9)
    assert Governor(0).ends(0)
    assert not Governor(1).ends(0)


def test_the_tag_stands_on_a_line_of_its_own() -> None:
    assert Governor(3).last_words == "\n"
    assert Governor(3, "  Enough.\n").last_words == "\nEnough.\n"


@pytest.mark.parametrize("budget", [-1, 1 << 25])
def test_a_budget_that_makes_no_sense(budget: int) -> None:
    with pytest.raises(ProfileError, match="budget"):
        Governor(budget)


def test_a_message_is_short() -> None:
    with pytest.raises(ProfileError, match="message"):
        Governor(9, "a" * 1001)
