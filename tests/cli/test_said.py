"""What a line of a chat means."""

from __future__ import annotations

import pytest

from qwq_gguf.cli.chatting.said import COMMANDS, Command, Question, what_was_said


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("What is 7*43?\n", "What is 7*43?"),
        ("  indented", "indented"),
        ("//clear", "/clear"),
        ("//usr/bin is what?", "/usr/bin is what?"),
        (" /usr/bin is what?", "/usr/bin is what?"),
        ("1/2", "1/2"),
        ("", ""),
        (" \n", ""),
        ("two\nlines", "two\nlines"),
    ],
)
def test_what_is_sent(line: str, text: str) -> None:
    assert what_was_said(line) == Question(text)


@pytest.mark.parametrize("name", COMMANDS)
def test_commands(name: str) -> None:
    assert what_was_said(f"{name}\n") == Command(name)
    refused = what_was_said(f"{name} now")
    assert isinstance(refused, Command)
    assert refused.name is None
    assert "takes nothing behind it" in refused.refused


def test_help_is_near() -> None:
    assert what_was_said("/") == what_was_said("/?") == Command("/help")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/save x", "There is no /save."),
        ("/claer", "did you mean /clear?"),
        ("/Clear", "did you mean /clear?"),
        ("/set temperature 1", "There is no /set"),
        ("/usr/bin is what?", "There is no /usr/bin."),
        ("/save\nmore", "There is no /save."),
        ("/clear\nmore", "takes nothing behind it"),
        ("/" + "x" * 5000, "There is no /xxx"),
    ],
)
def test_what_is_no_command_is_never_sent(line: str, words: str) -> None:
    said = what_was_said(line)
    assert isinstance(said, Command)
    assert said.name is None
    assert words in said.refused
    assert len(said.refused) < 250
