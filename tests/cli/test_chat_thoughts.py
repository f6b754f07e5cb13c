"""Thoughts turned on and off by `qwq-gguf chat`, with models whose templates differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.cli.terminal.errors import NO_ANSWER
from support.chat_templates import CHATML, CLOSES, IF_ASKED, OPENS, STRIPS, UNLESS_TOLD
from support.family_templates import HARMONY
from support.tiny_gguf import byte_level, vocab, write_bigram

runner = CliRunner()
ANSWER = "It is Paris."
THOUGHT = {"thinking": ANSWER, "answer": ""}
ANSWERED = {"thinking": "", "answer": ANSWER}


def chat(*arguments: object) -> Result:
    return runner.invoke(app, ["chat", *map(str, arguments), "-t", "1"])


Reciter = Callable[[str], Path]


@pytest.fixture(scope="module")
def reciter(tmp_path_factory: pytest.TempPathFactory) -> Reciter:
    """Says ANSWER whatever it is asked, and ends its turn: a thought, if one is open."""
    folder = tmp_path_factory.mktemp("reciters")
    made: dict[str, Path] = {}  # a file that was loaded before is loaded in less time

    def reciter(template: str) -> Path:
        if template not in made:
            stored = byte_level(ANSWER.encode())
            begins = {byte_level(end.encode()): stored for end in ("\n", "\n\n")}
            made[template] = write_bigram(
                folder / f"{len(made)}.gguf",
                begins,
                words=vocab([ANSWER, "\n\n"]),
                keys={"tokenizer.chat_template": template},
            )
        return made[template]

    return reciter


def asked(file: Path, *arguments: object) -> dict[str, Any]:
    silent = ("--govern", "answers=false")  # a thought is all that it has to say
    done = chat(file, "-p", "What is the capital of France?", "--json", *silent, *arguments)
    assert done.exit_code in (0, NO_ANSWER), done.output
    reply: dict[str, Any] = json.loads(done.stdout)
    assert (done.exit_code == 0) == bool(reply["answer"])
    return reply


def said(reply: dict[str, Any]) -> dict[str, str]:
    return {name: reply[name] for name in ("thinking", "answer")}


@pytest.mark.parametrize("template", [CHATML, STRIPS, CLOSES, IF_ASKED])
def test_an_answer_of_a_model_that_does_not_think_is_an_answer(
    template: str, reciter: Reciter
) -> None:
    file = reciter(template)
    for profile in ("auto", "qwq"):
        reply = asked(file, "--profile", profile)
        assert said(reply) == ANSWERED
        assert reply["thinking_tokens"] == 0
    plain = chat(file, "-p", "Hi")
    assert plain.stdout == f"{ANSWER}\n"
    assert "thought" not in plain.stderr
    assert "answered 1 token" in plain.stderr


OFF = [
    ("--no-think",),
    ("--thought-budget", "0"),
    ("--chat-template-kwargs", '{"enable_thinking": false}'),
    ("--chat-template-kwargs", '{"thinking": false}'),
]


@pytest.mark.parametrize("off", OFF, ids=[" ".join(flags) for flags in OFF])
def test_thoughts_turned_off(off: tuple[str, str], reciter: Reciter) -> None:
    reply = asked(reciter(OPENS), *off)
    assert said(reply) == ANSWERED
    assert reply["thoughts"]["wanted"] == "off"


@pytest.mark.parametrize(
    "table",
    [
        '[template]\nthinking = "off"',
        "[template]\nenable_thinking = false",
        '[governor]\nbudget = 0\nsource = "s"',
    ],
)
def test_a_profile_turns_thoughts_off_and_a_flag_on_again(
    table: str, reciter: Reciter, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.toml"
    chain = '[chain]\norder = ["greedy"]\nsource = "s"\n'
    mine.write_text(f'schema = 1\nname = "mine"\ndescription = "d"\n{chain}{table}\n')
    file = reciter(OPENS)
    assert said(asked(file)) == THOUGHT
    assert said(asked(file, "--profile", mine)) == ANSWERED
    assert said(asked(file, "--profile", mine, "--think")) == THOUGHT


def test_thoughts_turned_on(reciter: Reciter) -> None:
    file = reciter(IF_ASKED)
    assert said(asked(file, "--think")) == THOUGHT
    shown = chat(file, "--think", "--show-chain")
    assert "profile qwq: its chat template says that it thinks" in shown.stderr
    shown = chat(file, "--show-chain")
    assert "closes the thought before the reply begins" in shown.stderr


def test_a_switch_does_what_the_template_has_it_do(reciter: Reciter) -> None:
    file = reciter(UNLESS_TOLD)
    lengths = {
        flags: asked(file, *flags)["prompt_tokens"] for flags in ((), ("--think",), ("--no-think",))
    }
    assert lengths[()] == lengths[("--think",)] < lengths[("--no-think",)]


def test_what_cannot_be_turned_is_said(reciter: Reciter) -> None:
    done = chat(reciter(OPENS), "-p", "Hi", "--no-think")
    assert "note: the chat template has no switch for thoughts: the prompt ends" in done.stderr
    done = chat(reciter(CHATML), "-p", "Hi", "--think")
    assert "note: nothing says that this model can think" in done.stderr
    assert done.stdout == f"{ANSWER}\n"


def test_variables_reach_the_template(reciter: Reciter) -> None:
    words = "{{ 'Be ' + (tone | default('plain')) + '\\n' }}"
    file = reciter(words + CHATML)
    long = asked(file, "--chat-template-kwargs", '{"tone": "as terse as you can be"}')
    assert long["prompt_tokens"] > asked(file)["prompt_tokens"]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--chat-template-kwargs", "enable_thinking=false"], "is a JSON object"),
        (["--chat-template-kwargs", "[1]"], "is a JSON object"),
        (["--chat-template-kwargs", '{"a": NaN}'], "is a JSON object"),
        (["--chat-template-kwargs", '{"a": ' + "9" * 5000 + "}"], "is a JSON object"),
        (["--chat-template-kwargs", "[" * 50_000], "is a JSON object"),
        (["--chat-template-kwargs", '{"a": "' + "x" * 70_000 + '"}'], "takes at most"),
        (["--chat-template-kwargs", '{"messages": []}'], "cannot set messages"),
        (["--think", "--thought-budget", "0"], "contradict each other"),
        (["--thought-budget", "-2"], "--thought-budget"),
    ],
)
def test_flags_that_make_no_sense(arguments: list[str], words: str, reciter: Reciter) -> None:
    refused = chat(reciter(CHATML), "-p", "Hi", *arguments)
    assert refused.exit_code == 2
    assert words in " ".join(refused.stderr.split())


def test_an_effort_is_told_to_a_template_that_knows_the_word(reciter: Reciter) -> None:
    file = reciter(HARMONY)
    known = chat(file, "--show-chain", "--reasoning-effort", "low")
    assert "reasoning_effort low/medium/high" in known.output
    assert "knows no effort" not in known.output
    other = chat(file, "--show-chain", "--reasoning-effort", "max")
    assert "the chat template knows no effort max" in other.output
    nonsense = chat(file, "--reasoning-effort", "huge")
    assert nonsense.exit_code == 2
    assert "is none of" in nonsense.stderr.replace("\n", " ")


def test_a_value_of_think_is_no_question(reciter: Callable[[str], Path]) -> None:
    done = chat(reciter(IF_ASKED), "--think", "off", "-p", "hi")
    assert done.exit_code == 2
    assert "--think or --no-think" in done.output
