"""Which turns go when a context is full, on numbers alone."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.chat.messages import Message, ToolCall
from qwq_gguf.chat.sent_turns import left_out, reserve_of, turns_of


def decide(sizes: list[int], fixed: int, **options: int) -> int | None:
    """Turns of these sizes in tokens, beside `fixed` of the system, the tools, the question."""
    chosen = {"already": 0, "context": 1000, "reserve": 250} | options
    after = [*accumulate(reversed(sizes), initial=0)][::-1]
    crowded = bool(chosen.pop("crowded", False))
    return left_out(len(sizes), lambda out: fixed + after[out], crowded=crowded, **chosen)


@pytest.mark.parametrize(
    "sizes, fixed, options, out",
    [
        ([], 100, {}, 0),
        ([], 999, {}, 0),  # it fits, if with little room
        ([], 1000, {}, None),
        ([300, 300], 150, {}, 0),  # 250 are free
        ([300, 300], 151, {}, 1),  # not any more: until 500 are
        ([100] * 8, 100, {}, 4),
        ([100] * 8, 100, {"already": 2}, 2),  # 700: nothing new goes
        ([100] * 9, 100, {"already": 2}, 5),
        ([100] * 8, 600, {}, 7),  # 500 cannot be free, 250 can
        ([100, 100], 900, {}, 2),  # nor 250: as few as make it fit
        ([50, 40], 900, {}, 0),
        ([50, 60], 900, {}, 1),
        ([100, 100], 1000, {}, None),
        ([100, 100], 100, {"crowded": 1}, 1),  # one at least, though there is room
        ([100, 100], 100, {"crowded": 1, "already": 1}, 2),
        ([100, 100], 100, {"crowded": 1, "already": 2}, 2),
        ([], 100, {"crowded": 1}, 0),
        ([400, 100, 100], 200, {"reserve": 10}, 0),  # a short reply needs little
        ([500, 300, 100], 95, {"reserve": 10}, 1),
        ([100], 100, {"already": 5}, 1),  # turns were taken back meanwhile
    ],
)
def test_what_goes(sizes: list[int], fixed: int, options: dict[str, int], out: int) -> None:
    assert decide(sizes, fixed, **options) == out


SIZES = st.lists(st.integers(1, 400), max_size=30)


@given(SIZES, st.integers(1, 1200), st.integers(0, 30), st.integers(1, 250), st.booleans())
def test_it_always_fits_and_none_comes_back(
    sizes: list[int], fixed: int, already: int, reserve: int, crowded: bool
) -> None:
    already = min(already, len(sizes))
    out = decide(sizes, fixed, already=already, reserve=reserve, crowded=crowded)
    if out is None:
        assert fixed >= 1000
        return
    assert already <= out <= len(sizes)
    length = fixed + sum(sizes[out:])
    assert length < 1000
    if length + reserve > 1000:  # too little room is left only where no turn would make it
        assert fixed + reserve > 1000
    if not crowded and fixed + sum(sizes[already:]) + reserve <= 1000:
        assert out == already


@given(SIZES, st.integers(1, 240))
def test_the_next_turns_are_not_cut_again(sizes: list[int], question: int) -> None:
    out = decide(sizes, question)
    assert out is not None
    if out:
        more = [*sizes, 250 - question]
        assert decide(more, question, already=out) == out


def test_a_reply_is_kept_a_quarter_or_its_limit() -> None:
    assert reserve_of(1000, None) == 250
    assert reserve_of(1000, 100) == 100
    assert reserve_of(1000, 5000) == 250


def test_a_turn_is_a_question_with_all_that_followed() -> None:
    call = Message("assistant", "", (ToolCall("add"),))
    first = (Message("user", "a"), call, Message("tool", "3"), Message("assistant", "b"))
    second = (Message("user", "c"), Message("assistant", "d"))
    assert turns_of([*first, *second]) == (first, second)
    assert turns_of([]) == ()
    greeting = Message("assistant", "hello")
    assert turns_of([greeting, *second]) == ((greeting, *second),)
    assert turns_of([greeting]) == ((greeting,),)
