"""What every test shares: examples that are the same on every run."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# No example database and no deadline: a test passes or fails because of the code, not
# because of an earlier run or a busy machine.
settings.register_profile(
    "fixed",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("fixed")
