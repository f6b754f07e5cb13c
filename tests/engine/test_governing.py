"""The demo model's thought is ended by a budget, and it answers all the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from qwq_gguf.chat.events import (
    AnswerDelta,
    ChatEvent,
    Finished,
    FinishReason,
    Note,
    Reply,
    Responded,
    ThinkingDelta,
    ThoughtEnded,
)
from qwq_gguf.chat.messages import Message
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.responder import Responder
from qwq_gguf.profiles import Profile, load_profile
from qwq_gguf.sampling import Greedy, SamplerChain
from qwq_gguf.thinking import Governor, hesitation_tokens
from support.demo import make_demo

QUESTION = "What is 743*29?"
OFF = Governor(reserve=0, loops=False, answers=False)


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
    assert [type(event) for event in events].count(Note) == 1


def test_without_a_budget_there_is_no_thought(demo: Model) -> None:
    events, reply = ask(demo, governed(0, "Wait, 7."))
    assert reply.thinking == ""
    assert reply.answer
    assert reply.finish_reason is FinishReason.STOP
    assert not any(isinstance(event, Note | ThinkingDelta) for event in events)


def test_a_thought_within_its_budget_is_left_alone(demo: Model) -> None:
    _, free = ask(demo, governed(None))
    events, reply = ask(demo, governed(free.thinking_tokens + 1, "Enough."))
    assert (reply.thinking, reply.answer) == (free.thinking, free.answer)
    assert not any(isinstance(event, Note) for event in events)


def test_an_answer_in_a_grammar_begins_after_the_forced_end(demo: Model) -> None:
    _, reply = ask(demo, governed(12).with_overrides(grammar="root ::= [0-9]{1,9}"))
    assert reply.answer.isdecimal()


def test_the_user_may_ask_for_the_answer_now(demo: Model) -> None:
    conversation = Conversation(demo, governed(None, "Enough."), seed=1)
    conversation.answer_now()  # nothing is running
    seen = 0
    for event in conversation.stream(QUESTION):
        if isinstance(event, ThinkingDelta):
            seen += 1
            if seen == 5:
                conversation.answer_now()
    assert isinstance(event, Finished)
    assert event.reply.thought_ended is ThoughtEnded.ASKED
    assert event.reply.thinking.endswith("Enough.")
    assert event.reply.thinking_tokens < 20
    assert "\\boxed{" in event.reply.answer
    for event in conversation.stream(QUESTION):
        if isinstance(event, AnswerDelta):
            conversation.answer_now()  # there is nothing to close
    assert isinstance(event, Finished)
    assert event.reply.thought_ended is ThoughtEnded.CLOSED
    conversation.close()


def test_asked_before_its_first_token_it_answers_at_once(demo: Model) -> None:
    responder = Responder(demo, governed(None, ""))
    responding = responder.respond([Message("user", QUESTION)], seed=1)
    responding.answer_now()
    *_, last = responding
    assert isinstance(last, Responded)
    assert last.response.thought_ended is ThoughtEnded.ASKED
    assert last.response.thinking_tokens <= 3
    assert last.response.answer
    responder.close()


def test_a_small_context_leaves_room_for_an_answer(demo: Model) -> None:
    _, reply = ask(demo, governed(None, ""), max_tokens=40)
    assert reply.thought_ended is ThoughtEnded.RESERVE
    assert reply.thinking_tokens == 40 - 10
    assert reply.answer
    _, cut = ask(demo, replace(governed(None), governor=Governor(reserve=0)), max_tokens=40)
    assert (cut.thought_ended, cut.answer) == (ThoughtEnded.LENGTH, "")


def test_time_ends_a_thought(demo: Model) -> None:
    governor = Governor(seconds=1e-6, message="")
    _, reply = ask(demo, replace(load_profile("qwq"), governor=governor))
    assert reply.thought_ended is ThoughtEnded.TIME
    assert reply.thinking_tokens == 3
    assert reply.answer


def test_a_wind_down_closes_sooner_and_by_itself(demo: Model) -> None:
    _, free = ask(demo, governed(None))
    half = free.thinking_tokens // 2
    governor = Governor(budget=half + 10, wind_down=0.5, wind_down_bias=100.0)
    _, reply = ask(demo, replace(load_profile("qwq"), governor=governor))
    assert reply.thought_ended is ThoughtEnded.CLOSED
    assert reply.thinking_tokens < half + 10
    assert free.thinking.startswith(reply.thinking)


def test_a_margin_closes_at_the_end_of_a_sentence(demo: Model) -> None:
    _, free = ask(demo, governed(None))
    governor = Governor(margin=100.0)
    _, reply = ask(demo, replace(load_profile("qwq"), governor=governor))
    assert reply.thought_ended is ThoughtEnded.MARGIN
    assert reply.thinking_tokens < free.thinking_tokens
    assert free.thinking.startswith(reply.thinking)
    assert free.thinking[len(reply.thinking)] in ".\n"


def test_hesitation_is_discouraged_in_the_thought_alone(demo: Model) -> None:
    tokens = hesitation_tokens(demo.vocabulary.encode_text)
    assert any(demo.piece(token).strip() == b"Wait" for token in tokens)


def test_a_governor_that_only_looks_changes_nothing(demo: Model) -> None:
    _, free = ask(demo, replace(load_profile("qwq"), governor=OFF))
    for governor in (Governor(), Governor(10**5, wind_down=0.99), Governor(hesitation_penalty=0.0)):
        _, reply = ask(demo, replace(load_profile("qwq"), governor=governor))
        assert (reply.thinking, reply.answer) == (free.thinking, free.answer)


def test_a_margin_of_nothing_closes_where_the_model_does(demo: Model) -> None:
    greedy = replace(load_profile("qwq"), chain=SamplerChain((Greedy(),)))
    _, free = ask(demo, replace(greedy, governor=OFF))
    _, reply = ask(demo, replace(greedy, governor=Governor(margin=0.0)))
    assert (reply.thinking, reply.answer) == (free.thinking, free.answer)


def test_the_limit_of_a_reply_counts_forced_tokens(demo: Model) -> None:
    _, reply = ask(demo, governed(12, "Wait, 7."), max_tokens=20)
    assert reply.finish_reason is FinishReason.LENGTH
    assert reply.thought_ended is ThoughtEnded.BUDGET
    assert reply.thinking_tokens + reply.answer_tokens == 20


def test_few_tokens_are_an_answer(demo: Model) -> None:
    """-n 5 gave five tokens of a thought, and nothing else."""
    for most in (1, 2, 3, 5, 11, 12, 13, 24, 31):
        _, reply = ask(demo, governed(None), max_tokens=most)
        assert reply.answer.strip(), most
        assert reply.thinking_tokens + reply.answer_tokens <= most
        assert (reply.thinking_tokens == 0) is (most < 12)
        why = ThoughtEnded.RESERVE if most >= 12 else ThoughtEnded.NONE
        assert reply.thought_ended is why
