"""`load`: a model is asked, followed and talked with."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import qwq_gguf
from qwq_gguf.chat.events import AnswerDelta, Finished, ThinkingDelta, ThoughtEnded
from qwq_gguf.cli.app import app
from qwq_gguf.errors import ModelError, NotAGgufError, UsageError
from qwq_gguf.jobs.events import Activity, Ended, Event

QUESTION = "What is 7*43?"


def test_the_same_reply_as_the_command(demo: Path, model: qwq_gguf.Model) -> None:
    done = CliRunner().invoke(app, ["chat", str(demo), "-p", QUESTION, "--seed", "7", "--json"])
    said = json.loads(done.stdout)
    reply = model.ask(QUESTION, seed=7)
    assert (reply.thinking, reply.answer) == (said["thinking"], said["answer"])
    assert reply.seed == said["seed"] == 7
    assert model.profile.name == said["profile"]


def test_a_stream_is_the_reply_in_pieces(model: qwq_gguf.Model) -> None:
    *events, last = model.stream(QUESTION, seed=7)
    assert isinstance(last, Finished)
    assert last.reply.answer == model.ask(QUESTION, seed=7).answer
    assert "".join(e.text for e in events if isinstance(e, ThinkingDelta)) == last.reply.thinking
    assert "".join(e.text for e in events if isinstance(e, AnswerDelta)) == last.reply.answer


def test_a_chat_remembers(model: qwq_gguf.Model) -> None:
    chat = model.chat(system="Be brief.", seed=3, max_tokens=400)
    first = chat.ask("What is 12+34?")
    *_, last = chat.stream("What is 50+1?")
    assert isinstance(last, Finished)
    assert (first.seed, last.reply.seed) == (3, 4)
    roles = [message.role for message in chat.messages]
    assert roles == ["system", "user", "assistant", "user", "assistant"]
    chat.close()


def test_settings_of_a_chat(model: qwq_gguf.Model) -> None:
    chat = model.chat(
        profile="llama-cpp", settings={"temperature": 0.0}, thought_budget=5, think=True
    )
    assert chat.profile.name == "llama-cpp"
    assert chat.profile.governor.budget == 5
    chat.close()
    same = model.chat(profile=qwq_gguf.load_profile("qwq"))
    assert same.profile.name == "qwq"
    same.close()


def test_keys_of_a_chats_governor(model: qwq_gguf.Model) -> None:
    chat = model.chat(governor={"seconds": 60, "loops": False, "budget": None})
    assert chat.profile.governor.seconds == 60.0
    assert not chat.profile.governor.loops
    assert chat.profile.governor.budget is None
    chat.close()
    off = model.chat(governor={"budget": 0})
    assert off.profile.wants_thoughts is False
    off.close()
    with pytest.raises(qwq_gguf.QwqGgufError, match=r"unknown key governor\.secconds"):
        model.chat(governor={"secconds": 60})
    with pytest.raises(qwq_gguf.QwqGgufError, match="given twice"):
        model.chat(governor={"budget": 3}, thought_budget=4)
    with pytest.raises(qwq_gguf.QwqGgufError, match="contradict"):
        model.chat(governor={"budget": 0}, think=True)
    with pytest.raises(qwq_gguf.QwqGgufError, match="governor is a dict"):
        model.chat(governor=["seconds"])  # type: ignore[arg-type]


def test_a_function_is_called(model: qwq_gguf.Model) -> None:
    calls: list[str] = []

    def calculator(expression: str) -> str:
        """Evaluate an arithmetic expression exactly.

        Args:
            expression: For example 12*(3+4)
        """
        calls.append(expression)
        return "122112726"

    chat = model.chat(tools=[calculator], seed=1)
    reply = chat.ask("What is 3394*35979?")
    chat.close()
    assert calls == ["3394*35979"]
    assert [call.name for call in reply.tool_calls] == ["calculator"]
    assert "122112726" in reply.answer


def test_the_demo_is_made_once(cache: Path) -> None:
    heard: list[Event] = []
    with qwq_gguf.load("demo", context=512, progress=heard.append) as model:
        assert model.context_size == 512
        assert model.path.is_relative_to(cache)
        assert model.name == "QwQ Demo"
        assert "general.name" in model.metadata
    assert Ended(Activity.LOADING) in heard
    again: list[Event] = []
    qwq_gguf.load("demo", context=512, progress=again.append).close()
    assert Ended(Activity.QUANTIZING) not in again


def test_after_close_it_is_an_error(demo: Path) -> None:
    with qwq_gguf.load(demo, context=512) as model:
        chat = model.chat()
    for use in (
        lambda: model.ask(QUESTION),
        lambda: list(model.stream(QUESTION)),
        lambda: model.chat(),
        lambda: chat.ask(QUESTION),
    ):
        with pytest.raises(ModelError, match="closed"):
            use()


def test_two_streams_at_once_are_an_error_and_chats_are_not(model: qwq_gguf.Model) -> None:
    first = model.stream(QUESTION, seed=1)
    next(iter(first))
    model.ask("What is 1+1?", seed=1)
    with pytest.raises(ModelError, match="session"):
        list(first)
    one, two = model.chat(seed=1), model.chat(seed=1)
    begun = one.stream(QUESTION)
    next(iter(begun))
    two.ask("What is 1+1?")
    assert isinstance(list(begun)[-1], Finished)
    one.close()
    two.close()


def load_with(model: Any, **options: Any) -> object:
    return qwq_gguf.load(model.path, **options)


def test_several_sequences_answer_threads_as_one_would(demo: Path, model: qwq_gguf.Model) -> None:
    questions = ["What is 7*43?", "What is 12+34?", "What is 91*12?"]
    alone = [model.ask(question, seed=1).answer for question in questions]
    with qwq_gguf.load(demo, threads=1, sequences=2) as several, ThreadPoolExecutor(3) as pool:
        chat = several.chat(seed=1)
        together = list(pool.map(lambda question: several.ask(question, seed=1), questions))
        assert chat.ask(questions[0]).answer == alone[0]
    assert [reply.answer for reply in together] == alone
    with pytest.raises(ModelError, match="closed"):
        several.ask("What is 7*43?")
    with pytest.raises(UsageError, match="sequences is a whole number"):
        qwq_gguf.load(demo, sequences=0)
    with pytest.raises(ModelError, match="so many sequences"):
        qwq_gguf.load(demo, sequences=999)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda model: model.ask(""), "a question is a text"),
        (lambda model: model.ask(7), "a question is a text"),
        (lambda model: model.ask("a", seed=-1), "a seed is a whole number"),
        (lambda model: model.ask("a", max_tokens=0), "max_tokens is a whole number"),
        (lambda model: model.chat(think=True, thought_budget=0), "contradict each other"),
        (lambda model: model.chat(tools=["calculator"]), "a function or a Tool"),
        (lambda model: model.chat(profile=7), "profile is a path or a name"),
        (lambda model: model.chat(tools=7), "tools is a list"),
        (lambda model: model.chat(system=7), "system is a text"),
        (lambda model: model.chat(think="yes"), "think is True or False"),
        (lambda model: model.chat(reasoning_effort=3), "reasoning_effort is a text"),
        (lambda model: model.chat(thought_budget="a"), "thought_budget is a whole number"),
        (lambda model: model.chat(settings=[1]), "settings is a dict of names"),
        (lambda model: model.chat(settings={"source": 1}), "no sampler setting called source"),
        (lambda model: model.chat(template_variables=7), "template_variables is a dict"),
        (lambda model: qwq_gguf.load(model.path, context=0), "context is a whole number"),
        (lambda model: qwq_gguf.load(model.path, threads=0), "threads is a whole number"),
        (lambda model: qwq_gguf.load(model.path, cache_keys="q9"), "cache_keys: a KV cache cannot"),
        (lambda model: load_with(model, cache_values=8), "cache_values is a text"),
        (lambda model: load_with(model, yarn="2"), "yarn is a number"),
        (lambda model: load_with(model, flash_attention=1), "flash_attention is True"),
        (lambda model: load_with(model, draft_tokens=3), "draft_tokens goes with speculate"),
        (lambda model: load_with(model, speculate=3), "speculate is a path or a name"),
        (
            lambda model: load_with(model, speculate="text", draft_tokens=65),
            "draft_tokens makes no sense",
        ),
        (
            lambda model: load_with(model, speculate="text", sequences=2),
            "speculate goes with one sequence only",
        ),
    ],
)
def test_a_wrong_call_says_what_to_do(
    model: qwq_gguf.Model, call: Callable[[Any], object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        call(model)


def test_what_is_no_gguf(tmp_path: Path) -> None:
    with pytest.raises(NotAGgufError, match="there is no such file"):
        qwq_gguf.load(tmp_path / "none.gguf")
    with pytest.raises(UsageError, match="source is a path or a name"):
        qwq_gguf.load(None)  # type: ignore[arg-type]


def test_guessing_ahead_changes_no_reply(demo: Path, model: qwq_gguf.Model) -> None:
    usual = model.ask("What is 12345*6789?", seed=3)
    assert usual.speculated is None
    with qwq_gguf.load(demo, speculate="text") as ahead:
        for reply in (ahead.ask("What is 12345*6789?", seed=3), ahead.chat(seed=3).ask("12+34?")):
            assert reply.speculated is not None
            assert reply.speculated.steps
        again = ahead.ask("What is 12345*6789?", seed=3)
        closed = ahead.chat(seed=1, thought_budget=20).ask("What is 345*67?")
    assert (again.thinking, again.answer) == (usual.thinking, usual.answer)
    bounded = model.chat(seed=1, thought_budget=20).ask("What is 345*67?")
    assert bounded.thought_ended is ThoughtEnded.BUDGET
    assert (closed.thinking, closed.answer) == (bounded.thinking, bounded.answer)
    assert closed.thought_ended is ThoughtEnded.BUDGET
    # The words that closed it were known, so they took one step.
    assert closed.speculated is not None
    assert closed.speculated.tokens > closed.speculated.steps + closed.speculated.accepted
