"""What is waited for, how often and how long."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qwq_gguf.checkpoint.hub.retry import PATIENT, QUICK, RetryPolicy, asked_wait

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def waits(policy: RetryPolicy) -> list[float]:
    found: list[float] = []
    while (wait := policy.wait(len(found) + 1)) is not None:
        found.append(wait)
    return found


def test_waits_double_up_to_a_cap() -> None:
    assert waits(QUICK) == [1, 2, 4]
    assert waits(PATIENT) == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert waits(RetryPolicy(0, 1, 1, 1)) == []


def test_a_server_gets_the_wait_it_asks_for_up_to_a_cap() -> None:
    assert PATIENT.wait(1, 300.0) == 300
    assert PATIENT.wait(1, 600.0) == 600
    assert PATIENT.wait(1, 601.0) is None
    assert PATIENT.wait(5, 0.0) == 16  # asking for none does not mean asking for a rush
    assert PATIENT.wait(11, 1.0) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 0 "}, 0),
        ({"Retry-After": "9" * 400}, 9_999_999_999),
        ({"Retry-After": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30),
        ({"Retry-After": "Sun, 01 Mar 2026 12:00:30"}, 30),
        ({"Retry-After": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "Sun, 99 Mar 2026 12:00:30 GMT"}, None),
        ({"RateLimit": '"resolvers";r=0;t=55'}, 55),
        ({"RateLimit": '"resolvers";r=3;t=55'}, None),
        ({"Retry-After": "7", "RateLimit": '"api";r=0;t=55'}, 7),
    ],
)
def test_what_an_answer_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_wait(headers, NOW) == seconds
