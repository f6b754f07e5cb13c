from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from qwq_gguf.errors import ToolError
from qwq_gguf.tools import Date

NOW = datetime(2026, 11, 26, 14, 5, 9, 123, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "2026-11-26 14:05:09 +01:00, Thursday, day 330, week 48"),
        ({"days": 0}, "2026-11-26 14:05:09 +01:00, Thursday, day 330, week 48"),
        ({"days": 36}, "2027-01-01 14:05:09 +01:00, Friday, day 1, week 53"),
        ({"days": -271}, "2026-02-28 14:05:09 +01:00, Saturday, day 59, week 9"),
    ],
)
def test_dates(arguments: dict[str, Any], said: str) -> None:
    assert Date(lambda: NOW).run(arguments) == said


@pytest.mark.parametrize("days", [10**7, -(10**7), 10**400, "3", 1.5, True])
def test_refusals(days: Any) -> None:
    with pytest.raises(ToolError, match="the argument days"):
        Date(lambda: NOW).run({"days": days})


def test_the_clock_is_that_of_this_machine() -> None:
    said = Date().run({})
    told = datetime.fromisoformat(said[:26].replace(" ", "T", 1).replace(" ", ""))
    assert abs(datetime.now().astimezone() - told) < timedelta(minutes=1)
