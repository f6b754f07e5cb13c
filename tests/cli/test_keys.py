"""Keys that are pressed while a model replies, on a real terminal."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from qwq_gguf.cli.terminal.typing_ahead import Typing
from support.terminal import open_terminal

# It goes in circles for ever, and is left to.
RAMBLING = ("-t", "1", "-c", "60000", "--thought-budget", "-1", "--govern", "loops=false")


def test_what_is_typed_during_a_reply_is_done_after_it_line_by_line(rambler: Path) -> None:
    with open_terminal("chat", str(rambler), *RAMBLING, "-n", "3000") as terminal:
        terminal.wait_for(">>> ")
        terminal.type("Hi\r")
        terminal.wait_for("hm hm hm")
        assert not terminal.echoes
        terminal.type("/set seee\x7f\x7fed 5\r\r\r/set seed\r/help /un")
        # After the reply, one after the other; the one that is not ended waits.
        terminal.wait_for("seed: 5")
        terminal.wait_for("seed: 5")
        terminal.wait_for("/help /un")
        terminal.type("do\r")
        terminal.wait_for("forget the last question")
        terminal.type("\x04")
        assert terminal.wait_for_end() == 0
        assert terminal.echoes


@pytest.mark.parametrize("keys", ["\x03", "\x14", "/answer\r"])
def test_a_thought_can_be_told_to_answer(keys: str, rambler: Path) -> None:
    with open_terminal("chat", str(rambler), *RAMBLING) as terminal:
        terminal.wait_for(">>> ")
        terminal.type("Hi\r")
        terminal.wait_for("hm hm hm")
        terminal.type(keys)
        terminal.wait_for("It is 301.")
        terminal.wait_for(">>> ")
        terminal.type("/bye\r")
        assert terminal.wait_for_end() == 0
        assert "^C" not in terminal.text
        assert "There is no thought" not in terminal.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_a_terminal_that_echoes(rambler: Path, number: signal.Signals) -> None:
    with open_terminal("chat", str(rambler), *RAMBLING, "-p", "Hi") as terminal:
        terminal.wait_for("hm hm hm")
        assert not terminal.echoes
        terminal.process.send_signal(number)
        status = terminal.wait_for_end()
        assert status == -number
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
from qwq_gguf.cli.terminal.keys import heard_keys, quiet_keys, unread_keys
with quiet_keys():
    print("begun", flush=True)
    sys.stdin.readline()
    {}
print("over", repr(unread_keys()), flush=True)
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
        terminal.wait_for("over b'two\\nhalf a li'")
        assert terminal.wait_for_end() == 0
        assert "one" not in terminal.text
        assert terminal.echoes


HEARING = """
import sys, threading
from qwq_gguf.cli.terminal.keys import heard_keys
heard, ended = [], threading.Event()
def hear(keys):
    heard.append(keys)
    if keys.endswith(b"!"): ended.set()
with heard_keys(hear, lambda: None):
    print("begun", flush=True)
    ended.wait(60)
print("over", b"".join(heard), flush=True)
"""


def test_keys_are_heard_one_by_one_and_not_echoed() -> None:
    with open_terminal(program=(sys.executable, "-c", HEARING)) as terminal:
        terminal.wait_for("begun")
        terminal.type("se\x14\rcret!")  # Ctrl-T is a key, and Enter is waited for by nobody
        terminal.wait_for("over b'se\\x14\\ncret!'")
        assert terminal.wait_for_end() == 0
        assert terminal.text.count("cret") == 1
        assert terminal.echoes


@pytest.mark.parametrize(
    ("raw", "lines", "rest"),
    [
        (b"", [], ""),
        (b"a\r\nb\n\n", ["a", "b"], ""),
        (b"\x1b[A\x1b[1;5Cup\x1bOP", [], "up"),
        (b"\x00\x7f", [], ""),
        (b"ab\x7fc\nmore words\x17er\x15x", ["ac"], "x"),
        ("\u00e4\u20ac".encode()[:-1], [], "\u00e4"),
        (b"\x1b[200~pasted\x1b[201~", [], "pasted"),
        (b"\x9b31m\x1b", [], "31m"),
        (b"  \n", [], ""),
    ],
)
def test_what_becomes_of_keys(raw: bytes, lines: list[str], rest: str) -> None:
    whole, pieces = Typing(), Typing()
    assert whole.feed(raw) == 0
    for byte in raw:
        pieces.feed(bytes([byte]))
    for typing in (whole, pieces):
        assert (list(typing.lines), typing.line) == (lines, rest)
        assert typing.waiting == "\n".join([*lines, rest])
    assert whole.take_rest() == rest
    assert [whole.take() for _ in lines] == lines
    assert whole.take() is None


def test_keys_that_mean_something() -> None:
    typing = Typing()
    assert typing.feed(b"a\x14b\x14") == 2
    assert typing.line == "ab"
    assert not typing.drop("/answer")
    typing.feed(b"\n/answer\nmore\n")
    assert typing.drop("/answer")
    assert list(typing.lines) == ["ab", "more"]
    typing.feed(b"x\x04")
    assert not typing.ended, "it ends a line that is empty, and no other"
    typing.feed(b"\n\x04")
    assert typing.ended
