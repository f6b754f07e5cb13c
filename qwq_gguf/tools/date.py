"""What day it is, which no model can know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from qwq_gguf.chat.messages import ToolSpec
from qwq_gguf.errors import ToolError

__all__ = ["Date"]

_SPEC = ToolSpec(
    name="date",
    description="Tell the date, the day of the week and the time, now or some days away.",
    parameters={
        "type": "object",
        "properties": {
            "days": {"type": "integer", "description": "Days from today, 0 for now; -1: yesterday"}
        },
        "required": [],
    },
)
# In English whatever the locale, as models are asked in any.
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _here() -> datetime:
    return datetime.now().astimezone()


class Date:
    """Answers ``{}`` with ``2026-11-26 14:05:09 +01:00, Thursday, day 330, week 48``."""

    def __init__(self, now: Callable[[], datetime] = _here) -> None:
        """`now` tells the time, with its zone."""
        self._now = now

    @property
    def spec(self) -> ToolSpec:
        """See `Tool`."""
        return _SPEC

    def run(self, arguments: Mapping[str, Any]) -> str:
        """The date as text; ToolError for one that no calendar has."""
        days = arguments.get("days", 0)
        if not isinstance(days, int) or isinstance(days, bool):
            raise ToolError("the argument days must be a whole number")
        try:
            then = self._now() + timedelta(days=days)
        except OverflowError:
            raise ToolError(
                "the argument days leads out of the calendar, years 1 to 9999"
            ) from None
        clock = then.isoformat(" ", "seconds")
        clock = f"{clock[:19]} {clock[19:]}".strip()
        year = then.timetuple().tm_yday
        return f"{clock}, {_DAYS[then.weekday()]}, day {year}, week {then.isocalendar().week}"
