from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("resource")

LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 256))
from qwq_gguf.machine import allow_open_files
print(allow_open_files(40), allow_open_files(200), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
print(allow_open_files(1000), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
files = [open("/dev/null") for _ in range(200)]
"""


def test_the_limit_is_raised_as_far_as_it_goes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["None None 200", "256 256"]
