"""`qwq-gguf chat` whose commands come through a pipe, and the flags for how much it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.cli.chatting.commands import COMMANDS
from qwq_gguf.cli.chatting.obeying import ACTIONS
from support.terminal import open_terminal

runner = CliRunner()
ANSWER = "**It** is 301.\n"


def chat(*arguments: object, typed: str | None = None) -> Result:
    return runner.invoke(app, ["chat", *map(str, arguments), "-t", "1"], input=typed)


def test_every_command_does_something_and_nothing_else_is_done() -> None:
    assert set(ACTIONS) == {command.name for command in COMMANDS}


def test_a_chat_is_steered(talker: Path, tmp_path: Path) -> None:
    saved, page = tmp_path / "chat.json", tmp_path / "chat.md"
    lines = (
        "one",
        "two",
        "/undo",
        f"/save {saved}",
        "/clear",
        f"/load {saved}",
        f"/export {page}",
        "/regenerate",
        "/bye",
    )
    done = chat(talker, typed="\n".join(lines))
    assert done.exit_code == 0, done.output
    assert done.stdout == ANSWER * 3
    for words in (
        "forgotten: two",
        f"{saved}: the chat",
        "The conversation is forgotten.",
        "after 1 question",
        f"{page}: the chat",
        "again: one",
    ):
        assert words in done.stderr
    assert [each["content"] for each in json.loads(saved.read_text())["messages"]] == [
        "one",
        ANSWER.strip(),
    ]
    assert "## Question\n\none\n\n## Answer\n\n> Let me see.\n\n**It** is 301." in page.read_text()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/claer all", "did you mean /clear?"),
        ("/save", "needs what it is to work on"),
        ("/load /dev/null", "cannot be read"),
        ("/load missing.json", "No such file"),
        ("/export chat.txt", "chat.md, chat.jsonl"),
        ("/set top_p 7", "top_p"),
        ("/set topp 1", "did you mean top_p?"),
        ("/set top_p", "top_p: 0.95"),
        ("/set top_k 7", "top_k: 7"),
        ("/set temperature hot", "a number"),
        ("/system Be brief.", "system prompt: Be brief."),
        ("/system", "There is no system prompt."),
        ("/think", "thoughts: as the template has it"),
        ("/think off", "thoughts: off"),
        ("/think maybe", "on or off, not maybe"),
        ("/tools", "tools: none"),
        ("/tools abacus", "there is no such tool"),
        ("/regenerate", "nothing was asked yet"),
        ("/edit", "nothing was asked yet"),
        ("/undo", "nothing was asked yet"),
        ("/answer", "There is no thought to close"),
        ("/help undo", "/undo: forget"),
        ("/help", "sends a line that begins with a slash"),
    ],
)
def test_what_is_said_of_a_command_and_nothing_is_sent(line: str, words: str, talker: Path) -> None:
    done = chat(talker, typed=f"{line}\n")
    assert done.exit_code == 0, done.output
    assert words in done.stderr
    assert done.stdout == ""


def test_lines_that_belong_together_are_one_question(talker: Path, tmp_path: Path) -> None:
    page = tmp_path / "chat.jsonl"
    typed = 'one \\\nmore\n"""\ntwo\n\nlines\n"""\n//no command\n' + f"/export {page}\n"
    assert chat(talker, typed=typed).stdout == ANSWER * 3
    said = [each["content"] for each in json.loads(page.read_text())["messages"][::2]]
    assert said == ["one \nmore", "two\n\nlines", "/no command"]


def test_how_much_is_said(talker: Path) -> None:
    quiet = chat(talker, "-p", "Hi", "-q")
    assert (quiet.stdout, quiet.stderr) == (ANSWER, "")
    hidden = chat(talker, "-p", "Hi", "--hide-thinking")
    assert hidden.stdout == ANSWER
    assert "Let me see" not in hidden.stderr
    assert "thought 2 tokens" in hidden.stderr
    verbose = chat(talker, "-p", "Hi", "--verbose", "--seed", 3)
    assert "seed 3 · finished: stop · thought: closed" in verbose.stderr
    assert chat(talker, "-p", "Hi", "-q", "-v").exit_code == 2
    assert chat(talker, "-q", typed="Hi\n/bye\n").stderr == ""


@pytest.mark.parametrize("how", [{"TERM": "dumb"}, {}], ids=["dumb", "--plain"])
def test_a_terminal_that_draws_nothing_gets_plain_text(how: dict[str, str], talker: Path) -> None:
    flags = () if how else ("--plain",)
    with open_terminal("chat", str(talker), "-t", "1", *flags, environment=how) as terminal:
        terminal.wait_for(">>> ")
        terminal.type("Hi\r")
        terminal.wait_for("answer:")
        terminal.wait_for("**It** is 301.")
        terminal.wait_for(">>> ")
        terminal.type("\x04")
        assert terminal.wait_for_end() == 0
        assert "thought:\r\nLet me see." in terminal.text
        assert "\x1b" not in terminal.seen


def test_the_demo_needs_no_file() -> None:
    done = chat("demo", "-p", "What is 7*43?", "--seed", 1, "-q")
    assert done.exit_code == 0, done.output
    assert "301" in done.stdout


def test_a_question_is_edited_and_completed_and_pasted(talker: Path) -> None:
    with open_terminal("chat", str(talker), "-t", "1") as terminal:
        terminal.wait_for(">>> ")
        terminal.type("first words\r")
        terminal.wait_for("tok/s")
        terminal.wait_for(">>> ")
        terminal.type("/ed\t")
        terminal.wait_for("/edit")
        terminal.type("\r")
        terminal.wait_for("taken back")
        terminal.wait_for("first words")
        terminal.type(" and more\r")
        terminal.wait_for("tok/s")
        terminal.wait_for(">>> ")
        terminal.type("\x1b[200~pasted\nlines\x1b[201~ and \\\rthis\r")
        terminal.wait_for("tok/s")
        terminal.type("/undo\r")
        terminal.wait_for("forgotten: pasted lines and this")
        terminal.type("/undo\r")
        terminal.wait_for("forgotten: first words and more")
        terminal.type("/undo\r")
        terminal.wait_for("nothing was asked yet")
        terminal.type("\x04")
        assert terminal.wait_for_end() == 0
