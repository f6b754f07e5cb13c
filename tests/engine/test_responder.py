"""Messages and tools in, events out; `Conversation` adds history and runs the tools."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from qwq_gguf.chat.events import (
    AnswerDelta,
    Finished,
    FinishReason,
    Responded,
    Response,
    ResponseEvent,
    ThinkingDelta,
    ThoughtEnded,
)
from qwq_gguf.chat.messages import Message, ToolCall, ToolSpec
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.llama.context_settings import ContextSettings
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.responder import Responder
from qwq_gguf.engine.session import Session
from qwq_gguf.errors import ChainError, ModelError, PromptTooLongError
from qwq_gguf.profiles import Profile, TemplatePolicy
from qwq_gguf.sampling import Grammar, Greedy, SamplerChain
from qwq_gguf.thinking import Governor
from support.scripted import QWQ_TEMPLATE, ScriptedModel, ScriptedSession

PROFILE = Profile("test", "", SamplerChain((Greedy(),)), stops=("<|im_end|>", "\nUser:"))
HI = [Message("user", "hi")]
ADD = ToolSpec("add", "Adds.", {"type": "object", "properties": {}})
CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 2}}\n</tool_call>'
# Takes thoughts out of earlier turns, and leaves it to the model to begin one.
FREE = QWQ_TEMPLATE.replace("<think>\\n", "").replace(
    "'\\n' + message.content }}", "'\\n' + message.content.split('</think>')[-1] }}"
)


def answering(
    *replies: str, profile: Profile = PROFILE, template: str | None = QWQ_TEMPLATE
) -> tuple[Responder, ScriptedSession]:
    model = ScriptedModel(template)
    session = ScriptedSession(model, replies)
    return Responder(cast(Model, model), profile, session=cast(Session, session)), session


def read(events: Sequence[ResponseEvent]) -> Response:
    last = events[-1]
    assert isinstance(last, Responded)
    assert not any(isinstance(event, Responded) for event in events[:-1])
    return last.response


def test_messages_in_events_out() -> None:
    responder, session = answering("hm</think>\n\n301")
    said = [Message("system", "Be brief."), Message("user", "7*43?")]
    events = list(responder.respond(said, seed=5))
    response = read(events)
    assert (response.thinking, response.answer, response.seed) == ("hm", "301", 5)
    assert (response.thinking_tokens, response.answer_tokens) == (3, 5)
    assert response.finish_reason is FinishReason.STOP
    assert response.thought_ended is ThoughtEnded.CLOSED
    shown = [event.text for event in events if isinstance(event, ThinkingDelta | AnswerDelta)]
    assert "".join(shown) == "hm301"
    assert session.prompts[0].startswith("<|im_start|>system\nBe brief.<|im_end|>\n")


def test_nothing_is_remembered_and_nothing_run() -> None:
    responder, session = answering(f"</think>Well.\n{CALL}", "</think>two")
    response = read(list(responder.respond(HI, [ADD])))
    assert response.calls == (ToolCall("add", {"a": 2}),)
    assert response.answer == "Well."
    assert response.written.endswith(CALL)
    assert len(session.prompts) == 1
    list(responder.respond([Message("user", "other")]))
    assert "Well" not in session.prompts[1]
    assert "add" not in session.prompts[1]


def test_a_call_that_cannot_be_read_is_said_and_no_error() -> None:
    responder, _ = answering("</think><tool_call>\n{name: add}\n</tool_call>")
    response = read(list(responder.respond(HI, [ADD])))
    assert response.calls == ()
    assert len(response.unread) == 1
    assert "{name: add}" in response.written


def test_without_tools_a_call_is_text() -> None:
    responder, _ = answering(f"</think>{CALL}")
    assert read(list(responder.respond(HI))).answer == CALL


def test_what_cannot_be_asked_is_refused_before_anything_is_computed() -> None:
    toolless = "{%- for message in messages %}{{- message.content }}{%- endfor %}"
    responder, session = answering(template=toolless)
    with pytest.raises(ModelError, match="no place for tools"):
        responder.respond(HI, [ADD])
    bound, _ = answering(profile=PROFILE.with_overrides(grammar='root ::= "yes"'))
    with pytest.raises(ChainError, match="exclude each other"):
        bound.respond(HI, [ADD])
    with pytest.raises(ModelError, match="no chat template"):
        answering(template=None)
    assert session.prompts == []


def test_a_seed_is_drawn_for_who_names_none() -> None:
    responder, session = answering("</think>a", "</think>b")
    seeds = [read(list(responder.respond(HI))).seed for _ in range(2)]
    assert seeds[0] != seeds[1]
    assert [option["seed"] for option in session.options] == seeds


@pytest.mark.parametrize("when", ["before", "within", "after"])
def test_cancelling(when: str) -> None:
    responder, session = answering("a long thought</think>x", "</think>next")
    responding = responder.respond(HI)
    if when == "before":
        responding.cancel()
        response = read(list(responding))
        assert (response.thinking, response.finish_reason) == ("", FinishReason.INTERRUPTED)
    elif when == "within":
        next(responding)
        responding.cancel()
        response = read(list(responding))
        assert (response.thinking, response.thought_ended) == ("a", ThoughtEnded.INTERRUPTED)
    else:
        assert read(list(responding)).answer == "x"
        responding.cancel()
        assert not session.interrupted
    assert read(list(responder.respond(HI))).answer == "next"


def test_dropping_a_response_closes_its_generation() -> None:
    responder, session = answering("a long thought</think>x")
    responding = responder.respond(HI)
    next(responding)
    responding.close()
    responding.close()
    assert session.generations[0].closed
    assert list(responding) == []


@pytest.mark.parametrize(
    "reply, options, ended",
    [
        ("so</think>301", {}, ThoughtEnded.CLOSED),
        ("so</think>", {}, ThoughtEnded.CLOSED),
        ("so", {}, ThoughtEnded.STOP),
        ("", {}, ThoughtEnded.STOP),
        ("so\nUser: and", {}, ThoughtEnded.STOP),
        ("so</think>a\nUser: and", {}, ThoughtEnded.CLOSED),
        ("a long thought</think>301", {"most": 5}, ThoughtEnded.NONE),  # no room for both
        ("a long thought</think>301", {"most": 12}, ThoughtEnded.RESERVE),
        ("a long thought " * 9, {"most": 60}, ThoughtEnded.RESERVE),
        ("a long thought " * 400, {}, ThoughtEnded.LOOP),
        ("a long thought", {"budget": 3, "most": 30}, ThoughtEnded.BUDGET),
        ("a</think>long answer", {"most": 12}, ThoughtEnded.CLOSED),
        ("so", {"ends": FinishReason.CONTEXT}, ThoughtEnded.CONTEXT),
        ("so", {"ends": FinishReason.INTERRUPTED}, ThoughtEnded.INTERRUPTED),
        ("a long thought", {"budget": 3}, ThoughtEnded.BUDGET),
        ("so</think>301", {"budget": 30}, ThoughtEnded.CLOSED),
        ("a long thought", {"budget": 3, "most": 4}, ThoughtEnded.NONE),
        ("answer", {"budget": 0}, ThoughtEnded.NONE),  # the prompt closes it
        (f"so\n{CALL}", {"tools": [ADD]}, ThoughtEnded.TOOL_CALL),
        (f"so</think>{CALL}", {"tools": [ADD]}, ThoughtEnded.CLOSED),
        (f"so\n{CALL}", {"tools": [ADD], "ends": FinishReason.LENGTH}, ThoughtEnded.LENGTH),
        ("301", {"free": True}, ThoughtEnded.NONE),
        ("so</think>301", {"free": True}, ThoughtEnded.CLOSED),  # it thought without a tag
        ("<think>so", {"free": True}, ThoughtEnded.STOP),
        ("301", {"free": True, "budget": 0}, ThoughtEnded.NONE),
    ],
)
def test_how_a_thought_ended(reply: str, options: Mapping[str, Any], ended: ThoughtEnded) -> None:
    leaves = TemplatePolicy(opens_thought=False)
    profile = replace(PROFILE, governor=Governor(options.get("budget")), template=leaves)
    template = FREE if options.get("free") else QWQ_TEMPLATE
    responder, session = answering(reply, profile=profile, template=template)
    session.ends_with = options.get("ends", FinishReason.STOP)
    responding = responder.respond(HI, options.get("tools", ()), max_tokens=options.get("most"))
    assert read(list(responding)).thought_ended is ended


def test_a_call_in_a_thought_is_none_where_a_grammar_has_the_calls() -> None:
    """It was not held to the grammar, which says which tool has to be called, and how."""
    grammar = Grammar(f"root ::= {json.dumps(CALL)}")
    profile = replace(PROFILE, chain=SamplerChain((grammar, Greedy())))
    responder, session = answering(f"so\n{CALL}", f"so</think>{CALL}", profile=profile)
    told = read(list(responder.respond(HI, [ADD], calls_in_grammar=True)))
    assert (told.calls, told.thought_ended) == ((), ThoughtEnded.STOP)
    assert session.generations[0].answers_began == 1
    told = read(list(responder.respond(HI, [ADD], calls_in_grammar=True)))
    assert told.calls == (ToolCall("add", {"a": 2}),)
    with pytest.raises(ChainError, match="exclude each other"):
        responder.respond(HI, [ADD])


def test_no_thought_begins_in_an_answer_that_a_grammar_forms() -> None:
    """Between quotes a grammar lets its token through, and nothing could close it there again."""
    profile = replace(PROFILE, chain=SamplerChain((Grammar('root ::= "3"'), Greedy())))
    responder, session = answering("so</think>3", profile=profile)
    list(responder.respond(HI))
    (generation,) = session.generations
    assert session.model.control_tokens["<think>"] in generation._forbidden


class Adder:
    @property
    def spec(self) -> ToolSpec:
        return ADD

    def run(self, arguments: Mapping[str, Any]) -> str:
        return "5"


@pytest.mark.parametrize(
    "replies, ended",
    [
        (["one</think>" + CALL, "two</think>5"], ThoughtEnded.CLOSED),
        ([f"one\n{CALL}", "two"], ThoughtEnded.STOP),
        (["one</think>" + CALL, "</think>5"], ThoughtEnded.CLOSED),
    ],
)
def test_of_several_rounds_the_last_thought_counts(replies: list[str], ended: ThoughtEnded) -> None:
    model = ScriptedModel()
    session = cast(Session, ScriptedSession(model, replies))
    conversation = Conversation(cast(Model, model), PROFILE, tools=[Adder()], session=session)
    events = list(conversation.stream("2+3?"))
    assert not any(isinstance(event, Responded) for event in events)
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.reply.thought_ended is ended
    assert last.reply.tool_calls == (ToolCall("add", {"a": 2}),)


def test_a_real_model_answers_and_shares_what_prompts_begin_with(random_gguf: Path) -> None:
    with Model.load(random_gguf, threads=1) as model:
        responder = Responder(model, PROFILE)
        first = read(list(responder.respond(HI, seed=1, max_tokens=5)))
        again = read(list(responder.respond(HI, seed=1, max_tokens=5)))
        assert replace(again, seconds=0.0) == replace(first, seconds=0.0)
        with pytest.raises(PromptTooLongError):
            list(responder.respond([Message("user", "long " * 30_000)]))
        responder.close()


def test_a_prompts_computation_is_cancelled_from_another_thread(random_gguf: Path) -> None:
    settings = ContextSettings(batch=128)  # as for a model that is not small
    with Model.load(random_gguf, threads=1, settings=settings) as model:
        done: list[int] = []

        def cancel(read_so_far: int, total: int) -> None:
            done.append(read_so_far)
            thread = threading.Thread(target=responding.cancel)
            thread.start()
            thread.join()

        responder = Responder(model, PROFILE, on_prompt=cancel)
        responding = responder.respond([Message("user", "long " * 80)])
        response = read(list(responding))
        assert response.finish_reason is FinishReason.INTERRUPTED
        assert (response.thinking, response.answer_tokens) == ("", 0)
        assert len(done) == 1
        assert done[0] < response.prompt_tokens


def test_a_text_is_gone_on_with_as_it_is() -> None:
    responder, session = answering("hm</think>\n301 and more")
    response = read(list(responder.go_on("7*43: ", seed=5, stops=("1",))))
    assert session.prompts == ["7*43: "]
    assert (response.thinking, response.answer) == ("", "hm</think>\n30")
    assert response.thought_ended is ThoughtEnded.NONE
    assert session.generations[0].expected is None  # no thought is waited for by a grammar
    with pytest.raises(ModelError, match="no text"):
        responder.go_on("")


def test_stops_of_a_question_end_its_answer_alone() -> None:
    responder, _ = answering("a STOP b</think>\n\nc STOP d", "a STOP b</think>\n\nc STOP d")
    response = read(list(responder.respond(HI, seed=5, stops=("STOP",))))
    assert (response.thinking, response.answer) == ("a STOP b", "c ")
    assert "STOP d" in read(list(responder.respond(HI, seed=5))).answer


def test_another_place_for_the_same_responder() -> None:
    responder, session = answering()
    other = ScriptedSession(session.model, ["hm</think>\n\nyes"])
    placed = responder.on(cast(Session, other))
    assert read(list(placed.respond(HI, seed=5))).answer == "yes"
    assert not session.prompts


@pytest.mark.parametrize("template", [QWQ_TEMPLATE, FREE], ids=["opened", "free"])
@pytest.mark.parametrize("reply", ["a long thought " * 9, "\n" * 90, "<think>" * 90, "so</think>5"])
def test_every_limit_leaves_an_answer(reply: str, template: str) -> None:
    for most in range(1, 65):
        responder, session = answering(reply, template=template)
        session.last_resort = ord("~")
        response = read(list(responder.respond(HI, max_tokens=most)))
        assert response.answer.strip(), most
        assert response.thinking_tokens + response.answer_tokens <= most


def test_a_limit_too_short_for_a_thought_is_met_by_the_prompt() -> None:
    responder, session = answering("301", "301", "301")
    read(list(responder.respond(HI, max_tokens=11)))
    assert session.prompts[0].endswith("<think>\n\n</think>\n\n")
    read(list(responder.respond(HI, max_tokens=12)))
    assert session.prompts[1].endswith("<think>\n")
    free = replace(PROFILE, governor=Governor(reserve=0))
    read(list(responder.under(free, None).respond(HI, max_tokens=3)))
    assert session.prompts[2].endswith("<think>\n")  # nothing is kept then


def test_the_context_counts_as_a_limit() -> None:
    responder, session = answering("301 " * 90)
    prompt = len(session.model.encode(responder.render(HI).segments))
    for room in range(5, 40):
        responder, session = answering("301 " * 90)
        session.context_size = prompt + room
        response = read(list(responder.respond(HI)))
        assert response.answer.strip(), room
    session.context_size = prompt + 2
    with pytest.raises(PromptTooLongError):
        list(responder.respond(HI))
