"""Waiting for a model to load: what is said, and leaving."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.terminal import open_terminal

WAITING = """
from qwq_gguf.cli.terminal import waiting
waiting._PATIENCE = {patience}
line = waiting.Waiting("checking [bold]a.gguf")
if not waiting._PATIENCE:
    line._timer.join()
line.say("loading [bold]a.gguf", 0.5)
line.stop()
print("over", flush=True)
"""


@pytest.mark.parametrize(("patience", "shown"), [(0, True), (1000, False)])
def test_what_takes_long_is_said(patience: int, shown: bool) -> None:
    program = (sys.executable, "-c", WAITING.format(patience=patience))
    with open_terminal(program=program) as terminal:
        terminal.wait_for("over")
        assert terminal.wait_for_end() == 0
        assert ("loading [bold]a.gguf: 50 %" in terminal.text) == shown


def test_a_terminal_that_draws_nothing_gets_a_line_each() -> None:
    program = (sys.executable, "-c", WAITING.format(patience=0))
    with open_terminal(program=program, environment={"TERM": "dumb"}) as terminal:
        terminal.wait_for("over")
        lines = terminal.text.split("\r\n")
        assert lines[:3] == ["checking [bold]a.gguf", "loading [bold]a.gguf", "over"]


FITTING = """
import time
from qwq_gguf.jobs import fitting
seen = fitting.this_machine
def slow():
    time.sleep(1)
    return seen(timed=False)
fitting.this_machine = slow
from qwq_gguf.cli.main import main
main()
"""


def test_timing_this_machine_is_said() -> None:
    program = (sys.executable, "-c", FITTING)
    with open_terminal("fit", "demo", program=program) as terminal:
        terminal.wait_for("looking at the model and at this machine")
        terminal.wait_for("recommended")
        assert terminal.wait_for_end(30) == 0


def test_who_wants_results_only_is_not_told() -> None:
    program = (sys.executable, "-c", FITTING)
    with open_terminal("fit", "demo", "-q", program=program) as terminal:
        terminal.wait_for("recommended")
        assert terminal.wait_for_end(30) == 0
        assert "looking at" not in terminal.text


LOADING = """
import time
from qwq_gguf.engine import model
from qwq_gguf.engine.loading import trial
def slow(*arguments, **named):
    time.sleep(60)
model.ensure_loads = slow
from qwq_gguf.cli.main import main
main()
"""


def test_a_check_that_takes_long_is_said_and_can_be_left(talker: Path) -> None:
    program = (sys.executable, "-c", LOADING)
    with open_terminal("chat", str(talker), program=program) as terminal:
        terminal.wait_for("checking talker.gguf")
        terminal.type("\x03")
        assert terminal.wait_for_end(30) == 130
        assert "Traceback" not in terminal.text
        assert "Interrupted." in terminal.text
        assert terminal.echoes
