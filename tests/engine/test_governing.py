"""The demo model's thought is ended by a budget, and it answers all the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from qwq_gguf.chat.events import (
    ChatEvent,
    Finished,
    FinishReason,
    Notice,
    Reply,
    ThinkingDelta,
)
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.model import Model
from qwq_gguf.profiles import Profile, load_profile
from qwq_gguf.thinking import Governor
from support.demo import make_demo

QUESTION = "What is 743*29?"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    with Model.load(make_demo(tmp_path_factory.mktemp("demo")), threads=1) as model:
        yield model


def ask(
    model: Model, profile: Profile, max_tokens: int | None = None
) -> tuple[list[ChatEvent], Reply]:
    conversation = Conversation(model, profile, seed=1, max_tokens=max_tokens)
    events = list(conversation.stream(QUESTION))
    conversation.close()
    last = events[-1]
    assert isinstance(last, Finished)
    return events, last.reply


def governed(budget: int | None, message: str = "") -> Profile:
    return replace(load_profile("qwq"), governor=Governor(budget, message))


@pytest.mark.parametrize("message", ["", "Wait, 7."])
def test_a_thought_ends_at_its_budget_and_an_answer_follows(demo: Model, message: str) -> None:
    _, free = ask(demo, governed(None))
    events, reply = ask(demo, governed(12, message))
    assert free.thinking_tokens > 30
    last_words = len(demo.vocabulary.encode_text(Governor(12, message).last_words))
    assert reply.thinking_tokens == 12 + last_words + 1  # and the tag
    assert reply.thinking.endswith(message)
    begun = reply.thinking.removesuffix(message).rstrip()
    assert free.thinking.startswith(begun)  # word for word until then
    assert begun
    assert reply.finish_reason is FinishReason.STOP
    assert "\\boxed{" in reply.answer
    assert [type(event) for event in events].count(Notice) == 1


def test_without_a_budget_there_is_no_thought(demo: Model) -> None:
    events, reply = ask(demo, governed(0, "Wait, 7."))
    assert reply.thinking == ""
    assert reply.answer
    assert reply.finish_reason is FinishReason.STOP
    assert not any(isinstance(event, Notice | ThinkingDelta) for event in events)


def test_a_thought_within_its_budget_is_left_alone(demo: Model) -> None:
    _, free = ask(demo, governed(None))
    events, reply = ask(demo, governed(free.thinking_tokens + 1, "Enough."))
    assert (reply.thinking, reply.answer) == (free.thinking, free.answer)
    assert not any(isinstance(event, Notice) for event in events)


def test_an_answer_in_a_grammar_begins_after_the_forced_end(demo: Model) -> None:
    _, reply = ask(demo, governed(12).with_overrides(grammar="root ::= [0-9]{1,9}"))
    assert reply.answer.isdecimal()


def test_the_limit_of_a_reply_counts_forced_tokens(demo: Model) -> None:
    _, reply = ask(demo, governed(12, "Wait, 7."), max_tokens=14)
    assert reply.finish_reason is FinishReason.LENGTH
    assert reply.thinking_tokens == 14
