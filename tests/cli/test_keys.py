"""Keys that are pressed while a model replies, on a real terminal."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from qwq_gguf.cli.terminal.keys import _as_text
from support.terminal import open_terminal


def test_what_is_typed_during_a_reply_waits_for_the_next_prompt(endless: Path) -> None:
    arguments = ("chat", str(endless), "-t", "1", "-c", "60000", "-n", "1000")
    with open_terminal(*arguments) as terminal:
        terminal.wait_for(">>> ")
        terminal.type("Hi\r")
        terminal.wait_for("hm hm hm")
        assert not terminal.echoes
        terminal.type("next\x1b[A questiom\x7fn\r\r\r")
        terminal.wait_for("the limit of tokens")
        reply = terminal.text.partition("hm hm hm")[2]
        assert not set("nextquio") & set(reply.partition("Stopped")[0].partition("thought ")[0])
        terminal.wait_for(">>> ")
        terminal.wait_for("next question")
        terminal.type("\x15/bye\r")
        assert terminal.wait_for_end() == 0
        assert terminal.text.count("hm hm hm hm hm hm") < 1000 / 6, "no second reply"
        assert terminal.echoes


def test_ctrl_c_is_not_written_into_the_reply(endless: Path) -> None:
    with open_terminal("chat", str(endless), "-t", "1", "-c", "60000") as terminal:
        terminal.wait_for(">>> ")
        terminal.type("Hi\r")
        terminal.wait_for("hm hm hm")
        terminal.type("\r\r\x03")
        terminal.wait_for("Interrupted in the middle of the thought.")
        assert "^C" not in terminal.text
        terminal.wait_for(">>> ")
        terminal.type("\x04")
        assert terminal.wait_for_end() == 0
        assert terminal.text.count("Interrupted") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_a_terminal_that_echoes(endless: Path, number: signal.Signals) -> None:
    arguments = ("chat", str(endless), "-t", "1", "-c", "60000", "-p", "Hi")
    with open_terminal(*arguments) as terminal:
        terminal.wait_for("hm hm hm")
        assert not terminal.echoes
        terminal.process.send_signal(number)
        status = terminal.wait_for_end()
        assert status == (130 if number is signal.SIGINT else -number)
        assert terminal.echoes
        assert "Traceback" not in terminal.text


def test_a_signal_at_the_prompt_leaves_a_terminal_that_echoes(talker: Path) -> None:
    with open_terminal("chat", str(talker), "-t", "1") as terminal:
        terminal.wait_for(">>> ")
        terminal.type("half")
        terminal.wait_for("half")
        assert not terminal.echoes, "the prompt shows keys itself"
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.wait_for_end() == -signal.SIGTERM
        assert terminal.echoes


QUIET = """
import sys
from qwq_gguf.cli.terminal.keys import quiet_keys, typed_ahead
with quiet_keys():
    print("begun", flush=True)
    sys.stdin.readline()
    {}
print("over", repr(typed_ahead()), flush=True)
"""


def test_a_crash_leaves_a_terminal_that_echoes() -> None:
    with open_terminal(program=(sys.executable, "-c", QUIET.format("1 / 0"))) as terminal:
        terminal.wait_for("begun")
        assert not terminal.echoes
        terminal.type("\r")
        assert terminal.wait_for_end() == 1
        assert "ZeroDivisionError" in terminal.text
        assert terminal.echoes


def test_half_a_line_is_read_too() -> None:
    with open_terminal(program=(sys.executable, "-c", QUIET.format("pass"))) as terminal:
        terminal.wait_for("begun")
        terminal.type("one\rtwo\rhalf a li")
        terminal.wait_for("over 'two\\nhalf a li'")
        assert terminal.wait_for_end() == 0
        assert "one" not in terminal.text
        assert terminal.echoes


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", ""),
        (b"a\r\nb\n\n", "a\n\nb"),
        (b"\x1b[A\x1b[1;5Cup\x1bOP", "up"),
        (b"\x00\x04\x7f", ""),
        ("\u00e4\u20ac".encode()[:-1], "\u00e4"),
        (b"\x1b[200~pasted\x1b[201~", "pasted"),
        (b"\x9b31m\x1b", "31m"),
    ],
)
def test_only_text_is_left_of_keys(raw: bytes, text: str) -> None:
    assert _as_text(raw) == text
