"""What a line of a chat means, and what its words are completed to."""

from __future__ import annotations

import pytest

from qwq_gguf.cli.chatting.commands import (
    COMMANDS,
    HELP,
    Command,
    Question,
    Refused,
    completions,
    help_on,
    what_was_said,
)
from qwq_gguf.cli.chatting.entry import entries, entry


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


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.name)
def test_every_command_is_known_with_what_it_takes_and_refused_otherwise(command) -> None:  # type: ignore[no-untyped-def]
    rest = command.words[0] if command.words else "chat.md"
    with_rest, without = what_was_said(f"{command.name}  {rest}\n"), what_was_said(command.name)
    known = Command(command.name)
    assert without == known if not command.needs else isinstance(without, Refused)
    if command.takes:
        assert with_rest == Command(command.name, rest)
    else:
        assert isinstance(with_rest, Refused)
        assert "takes nothing behind it" in with_rest.why
    assert f"{command.name} {command.takes}".rstrip() in HELP
    assert command.help in help_on(command.name)


def test_other_names_of_a_command() -> None:
    assert what_was_said("/") == what_was_said("/?") == Command("/help")
    assert what_was_said("/exit") == what_was_said("/quit") == Command("/bye")
    assert what_was_said("/system Be brief.\nVery.") == Command("/system", "Be brief.\nVery.")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/claer", "did you mean /clear?"),
        ("/Clear", "did you mean /clear?"),
        ("/claer all of it", "did you mean /clear?"),
        ("/usr/bin is what?", "There is no /usr/bin."),
        ("/usr/bin is what?", "written with two: //"),
        ("/more\nmore", "There is no /more."),
        ("/clear\nmore", "takes nothing behind it"),
        ("/save", "/save FILE"),
        ("/think maybe", "on or off, not maybe"),
        ("/" + "x" * 5000, "There is no /xxx"),
    ],
)
def test_what_is_no_command_is_never_sent(line: str, words: str) -> None:
    said = what_was_said(line)
    assert isinstance(said, Refused)
    assert words in said.why
    assert len(said.why) < 250


KNOWN = {"settings": ["temperature", "top_k", "top_p"], "tools": ["calculator"]}


@pytest.mark.parametrize(
    ("text", "typed", "words"),
    [
        ("/cl", "/cl", ["/clear"]),
        ("/s", "/s", ["/save", "/set", "/system"]),
        ("/set ", "", ["temperature", "top_k", "top_p"]),
        ("/set top", "top", ["top_k", "top_p"]),
        ("/set top_k o", "o", ["off"]),
        ("/set top_k 3 o", "o", []),
        ("/think o", "o", ["on", "off"]),
        ("/think on o", "o", []),
        ("/tools ", "", ["calculator", "off"]),
        ("/help /b", "/b", ["/bye"]),
        ("/save ch", "", []),
        ("/clear x", "x", []),
        ("What is /cl", "", []),
        ("//cl", "", []),
        ("/xyz a", "", []),
    ],
)
def test_completion(text: str, typed: str, words: list[str]) -> None:
    assert completions(text, KNOWN.__getitem__) == (typed, words)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("a", "a"),
        ("", ""),
        ("a\\", None),
        ("a\\\nb", "a\nb"),
        ("a\\\nb\\", None),
        ("C:\\\\", "C:\\\\"),
        ("pasted\nlines", "pasted\nlines"),
        ('"""', None),
        ('"""a\nb', None),
        ('"""\na\nb\n"""', "a\nb"),
        ('"""a"""', "a"),
        ('"""a\\\nb"""', "a\\\nb"),
        ('say """', 'say """'),
    ],
)
def test_when_a_text_is_whole(text: str, whole: str | None) -> None:
    assert entry(text) == whole


def test_lines_become_questions() -> None:
    lines = ["one\n", "two \\\n", "goes on\n", '"""\n', "a\n", "\n", "b\n", '"""\n', "open\\\n"]
    assert list(entries(lines)) == ["one", "two \ngoes on", "a\n\nb", "open"]
