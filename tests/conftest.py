"""What every test shares: examples that are the same on every run."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Whoever runs the tests may have set things for good; the tests' expectations do not.
for name in [each for each in os.environ if each.startswith("QWQ_GGUF_")]:
    if name not in ("QWQ_GGUF_CACHE_DIR", "QWQ_GGUF_WRITE_GOLDENS"):
        del os.environ[name]
os.environ["QWQ_GGUF_CONFIG"] = os.devnull

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
