"""Which faults of the Hub are waited out, how often and how long: the one place that says so.

A fault passes when there is no connection, no answer, an answer that stalls or breaks off,
or one of RETRIED. All else is an answer: asking again would not change it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["PATIENT", "QUICK", "RETRIED", "RetryPolicy", "asked_wait"]

RETRIED = frozenset({408, 429, 500, 502, 503, 504})
"""The statuses that may be others a moment later."""

# "api";r=0;t=55: how many requests are left, and in how many seconds there are more.
# https://huggingface.co/docs/hub/rate-limits
_SPENT = re.compile(r"\br=0\s*;\s*t=(\d{1,9})\b")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to bear with a server. Times are in seconds.

    `retries` counts failures in a row. A failure after `progress` bytes that were never had
    before is the first of a new row. Waits double from `first_wait` to `longest_wait`; a
    server that asks for a longer one gets it up to `longest_asked`, and is reported beyond.
    A connection has stalled when no byte comes for `silence`, or fewer than `slow_bytes`
    in `slow_window`.
    """

    retries: int
    first_wait: float
    longest_wait: float
    longest_asked: float
    silence: float = 10.0  # as huggingface_hub's own default
    progress: int = 1 << 20
    slow_bytes: int = 1 << 16
    slow_window: float = 60.0

    def wait(self, failures: int, asked: float | None = None) -> float | None:
        """What to wait before the next try, after so many failures; None is giving up."""
        if failures > self.retries or (asked is not None and asked > self.longest_asked):
            return None
        own = min(self.longest_wait, self.first_wait * 2.0 ** (failures - 1))
        return own if asked is None else max(own, asked)


QUICK = RetryPolicy(retries=3, first_wait=1.0, longest_wait=4.0, longest_asked=30.0)
"""For listings and headers, which somebody waits for."""

PATIENT = RetryPolicy(retries=10, first_wait=1.0, longest_wait=60.0, longest_asked=600.0)
"""For hours of download: five minutes without any progress, or ten if the server asks."""


def asked_wait(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The seconds that an answer asks to wait, by Retry-After (a number or a date) or RateLimit.

    None where it asks for nothing that can be understood.
    """
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:10])
    if said:
        try:
            until = parsedate_to_datetime(said[:60])
            until = until if until.tzinfo else until.replace(tzinfo=UTC)
            seconds = (until - (now or datetime.now(UTC))).total_seconds()
        except (ValueError, OverflowError):
            return None
        return float(max(0, math.ceil(seconds)))
    spent = _SPENT.search(headers.get("RateLimit", "")[:200])
    return float(spent.group(1)) if spent else None
