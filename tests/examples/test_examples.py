"""The example clients, with the real `openai` package."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import serving
from support.chat_server import StandIn, Thought, running
from support.demo import make_demo

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("openai") is None, reason="no openai package to ask with"
)


@pytest.fixture
def server() -> Iterator[StandIn]:
    with running() as stand_in:
        stand_in.key = "secret"
        stand_in.script = [Thought("Seven times "), Thought("forty-three."), "It is ", "301", "."]
        yield stand_in


def run(address: str, name: str, *words: str, typed: str = "") -> str:
    environment = {
        **os.environ,
        "OPENAI_BASE_URL": f"{address}/v1",
        "OPENAI_API_KEY": "secret",
        "NO_PROXY": "127.0.0.1",
        "COLUMNS": "60",
        "NO_COLOR": "1",
        "PYTHONIOENCODING": "utf-8",
    }
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *words],
        env=environment,
        input=typed,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_thought_then_the_answer_then_the_usage(server: StandIn) -> None:
    assert run(server.address, "stream_thoughts.py", "What is", "7*43?") == (
        "--- Thought ---\nSeven times forty-three.\n\n--- Answer ---\nIt is 301.\n\n"
        "20 tokens asked, 2 thought, 3 answered\n"
    )
    (sent,) = server.requests
    assert sent["model"] == "Stand-In"
    assert sent["messages"] == [{"role": "user", "content": "What is 7*43?"}]


def test_two_panels(server: StandIn) -> None:
    shown = run(server.address, "two_panels.py", "What is 7*43?").split("\n")
    titles = [line.strip("╭─╮ ") for line in shown if line.startswith("╭")]
    assert titles == ["Thinking process", "Full reply"]
    assert [line.strip("│ ") for line in shown if line.startswith("│")] == [
        "Seven times forty-three.",
        "It is 301.",
    ]
    assert shown[-2] == "tokens: 20 prompt + 2 thinking + 3 reply = 25"


def test_the_panels_go_on_with_what_was_said(server: StandIn) -> None:
    shown = run(server.address, "two_panels.py", typed="What is 7*43?\nSure?\n\n")
    assert shown.count("Full reply") == 2
    assert [message["content"] for message in server.requests[1]["messages"]] == [
        "What is 7*43?",
        "It is 301.",
        "Sure?",
    ]


def test_with_the_real_server(tmp_path: Path) -> None:
    with serving.running({"demo": make_demo(tmp_path)}) as real:
        shown = run(real.base, "stream_thoughts.py", "What is 7*43?")
    thought, _, rest = shown.removeprefix("--- Thought ---\n").partition("\n\n--- Answer ---\n")
    assert "7" in thought
    assert rest.startswith("7*43 = ")
    assert re.search(r"\n\d+ tokens asked, [1-9]\d* thought, [1-9]\d* answered\n$", rest)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_each_has_a_test(path: Path) -> None:
    assert f'"{path.name}"' in Path(__file__).read_text(encoding="utf-8")
