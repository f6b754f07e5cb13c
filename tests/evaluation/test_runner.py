"""The runner: what it asks, with which seeds, and what it records."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwq_gguf.chat.events import FinishReason, Reply, ThoughtEnded
from qwq_gguf.chat.messages import ToolCall
from qwq_gguf.engine.model import Model
from qwq_gguf.errors import ModelError
from qwq_gguf.evaluation.runner import ask_model, run_suite, sample_seed
from qwq_gguf.evaluation.suites.problems import SHOWCASE, Problem
from qwq_gguf.profiles import Profile, load_profile
from support.tiny_gguf import byte_level, vocab, write_bigram

PRODUCT, COMPARISON, LETTERS, TOOL = SHOWCASE


def reply(answer: str, **changes: object) -> Reply:
    fields: dict[str, object] = {
        "thinking": "hm",
        "answer": answer,
        "thinking_tokens": 10,
        "answer_tokens": 5,
        "prompt_tokens": 20,
        "finish_reason": FinishReason.STOP,
        "thought_ended": ThoughtEnded.CLOSED,
        "seed": 0,
        "tokens_per_second": 1.0,
    }
    return Reply(**(fields | changes))  # type: ignore[arg-type]


def test_every_problem_is_asked_as_often_as_wanted_with_seeds_of_its_own() -> None:
    asked: list[tuple[str, int]] = []

    def ask(problem: Problem, seed: int) -> Reply:
        asked.append((problem.key, seed))
        return reply(r"\boxed{301}")

    samples = list(run_suite(ask, SHOWCASE[:2], profile="qwq", samples=3, seed=7))
    assert [(s.key, s.number, s.seed) for s in samples] == [
        (p.key, n, sample_seed(7, p.key, n)) for p in SHOWCASE[:2] for n in range(3)
    ]
    assert asked == [(s.key, s.seed) for s in samples]
    assert len({s.seed for s in samples}) == 6
    assert [s.right for s in samples] == [True] * 3 + [False] * 3


def test_seeds_are_the_same_everywhere_and_fit_llama_cpp() -> None:
    assert sample_seed(0, "multiply:7*43", 0) == 2219799379
    seeds = {sample_seed(seed, "k", number) for seed in range(50) for number in range(50)}
    assert len(seeds) == 2500
    assert all(0 <= seed < 2**32 - 1 for seed in seeds)


def test_a_record_says_all_there_is_to_know() -> None:
    replies = {
        PRODUCT.key: reply(
            "",
            finish_reason=FinishReason.LENGTH,
            thought_ended=ThoughtEnded.LENGTH,
            thinking_tokens=99,
        ),
        TOOL.key: reply(
            r"\boxed{122,112,726}", tool_calls=(ToolCall("calculator", {"expression": "1"}),)
        ),
    }
    lost, right = run_suite(
        lambda problem, seed: replies[problem.key], [PRODUCT, TOOL], profile="mine"
    )
    assert (lost.right, lost.closed, lost.finish_reason) == (False, False, "length")
    assert lost.thought_ended == lost.to_json()["thought_ended"] == "length"
    assert lost.thinking_tokens == 99
    assert (right.right, right.closed, right.tool_calls) == (True, True, 1)
    assert (right.profile, right.skill, right.expected) == ("mine", "calculator", "122112726")
    assert right.seconds >= 0


def test_a_result_in_the_thought_is_no_answer() -> None:
    replies = iter([reply("There.", thinking=r"So \boxed{301}, 301."), reply(r"\boxed{301}")])
    samples = run_suite(lambda problem, seed: next(replies), [PRODUCT], profile="qwq", samples=2)
    assert [sample.right for sample in samples] == [False, True]


@pytest.fixture
def parrot(tmp_path: Path) -> Path:
    """A model that boxes 301 whatever it is asked."""
    texts = ["It is so.", "\n\n", r"\boxed{301}"]
    follows = {
        byte_level(b"\n"): byte_level(b"It is so."),
        byte_level(b"It is so."): "</think>",
        "</think>": byte_level(b"\n\n"),
        byte_level(b"\n\n"): byte_level(rb"\boxed{301}"),
    }
    return write_bigram(tmp_path / "parrot.gguf", follows, words=vocab(texts))


@pytest.fixture
def profile() -> Profile:
    return load_profile("qwq")


def test_a_real_model_is_asked_in_fresh_conversations(parrot: Path, profile: Profile) -> None:
    with Model.load(parrot, threads=1, context=256) as model:
        ask = ask_model(model, profile)
        samples = list(run_suite(ask, [PRODUCT, COMPARISON, PRODUCT], profile="qwq", samples=2))
    assert [s.right for s in samples] == [True, True, False, False, True, True]
    assert {s.thinking_tokens for s in samples} == {2}, "the closing tag counts"
    # A conversation that went on would make every prompt longer than the last.
    assert samples[0].prompt_tokens == samples[-1].prompt_tokens
    assert samples[0].thinking == "It is so."


def test_a_limit_leaves_thoughts_unclosed(parrot: Path, profile: Profile) -> None:
    with Model.load(parrot, threads=1, context=256) as model:
        (sample,) = run_suite(ask_model(model, profile, max_tokens=1), [PRODUCT], profile="qwq")
    assert (sample.closed, sample.right, sample.finish_reason) == (False, False, "length")


def test_tools_reach_the_conversation(parrot: Path, profile: Profile) -> None:
    # This model's template knows no tools, and only a conversation with tools minds.
    with (
        Model.load(parrot, threads=1, context=256) as model,
        pytest.raises(ModelError, match="tools"),
    ):
        list(run_suite(ask_model(model, profile), [TOOL], profile="qwq"))
