"""Python as a tool: what a model reads of its programs. What holds them: tests/confinement/."""

from __future__ import annotations

import platform

import pytest

from qwq_gguf.confinement import Limits, child
from qwq_gguf.confinement.fences import why_not
from qwq_gguf.errors import ToolError
from qwq_gguf.tools import Cancellable, Python, tools_named

pytestmark = pytest.mark.skipif(
    why_not(platform.system(), platform.machine(), child._landlock_version()) is not None,
    reason="nothing can be confined here",
)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("3394 * 35979", "122112726"),
        ("print('a')\nprint('b')", "a\nb"),
        ("x = 1", "(the program ended and printed nothing)"),
        ("```python\n1 + 1\n```", "2"),
        ("import math\nmath.pi", "3.141592653589793"),
    ],
)
def test_results(code: str, said: str) -> None:
    assert Python().run({"code": code}) == said


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("print('so far')\nopen('x')", "so far\nTraceback"),
        ("import time\nprint('so far', flush=True)\ntime.sleep(9)", "after 1 seconds; it had"),
        ("while True: print('x')", "printed more than 262,144 bytes"),
        ("import ctypes\nctypes.string_at(0)", "ended by SIGSEGV"),
        ("import sys\nsys.exit(1)", "ended with a status that is not 0"),
        ("x" * 70_000, "longer than 65536 characters"),
        ("", "missing or not text"),
        (None, "missing or not text"),
    ],
)
def test_failures_are_told_with_what_was_printed(code: object, said: str) -> None:
    with pytest.raises(ToolError) as caught:
        Python(Limits(seconds=1)).run({"code": code})
    assert said in caught.value.message


def test_long_outputs_keep_their_ends() -> None:
    said = Python().run({"code": "print('begin' + 'x' * 100_000 + 'end')"})
    assert len(said) < 8_100
    assert said.startswith("beginx")
    assert said.endswith("xend")
    assert "92,008 characters left out" in said


def test_no_model_gets_it_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """And none where it cannot be confined: before the model is loaded."""
    (tool,) = tools_named(["python"])
    assert isinstance(tool, Python)
    monkeypatch.setattr(child, "_landlock_version", lambda: 0)
    with pytest.raises(ToolError, match="cannot be confined here, so none is run"):
        tools_named(["python"])


def test_a_run_can_be_cancelled() -> None:
    tool = Python(Limits(seconds=60))
    assert isinstance(tool, Cancellable)
    with pytest.raises(ToolError, match="nobody waits for it"):
        tool.run_until({"code": "while True: pass"}, lambda: True)
    assert tool.run_until({"code": "6*7"}, lambda: False) == "42"
