"""Models that write their thoughts in other ways than QwQ: each recites a reply of its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from qwq_gguf.chat.events import (
    Finished,
    FinishReason,
    Reply,
    Responded,
    Response,
    ThoughtEnded,
)
from qwq_gguf.chat.messages import Message, ToolCall
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.responder import Responder
from qwq_gguf.metadata import text
from qwq_gguf.profiles import Profile, choose_profile, load_profile
from qwq_gguf.thinking import Governor
from qwq_gguf.tools.calculator import Calculator
from support.families import ANSWER, CALL, FAMILIES, PLAIN, THOUGHT, write_family

Load = Callable[..., Model]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    folder = tmp_path_factory.mktemp("families")
    loaded: dict[tuple[str, bool], Model] = {}

    def load(name: str, *, calls: bool = False) -> Model:
        key = name, calls
        if key not in loaded:
            path = write_family(folder / f"{name}-{calls}.gguf", name, calls=calls)
            loaded[key] = Model.load(path, threads=1)
        return loaded[key]

    yield load
    for model in loaded.values():
        model.close()


def ask(model: Model, name: str, profile: Profile | None = None) -> Reply:
    family = FAMILIES[name]
    conversation = Conversation(
        model,
        load_profile(family.profile) if profile is None else profile,
        seed=1,
        template_variables=family.variables,
    )
    with closing(conversation):
        *_, last = conversation.stream("What is the capital of France?")
    assert isinstance(last, Finished)
    return last.reply


def respond(model: Model, profile: Profile) -> Response:
    """One round, without tools."""
    with closing(Responder(model, profile)) as responder:
        *_, last = responder.respond([Message("user", "hi")], seed=1, max_tokens=200)
    assert isinstance(last, Responded)
    return last.response


@pytest.mark.parametrize("name", FAMILIES)
def test_thought_and_answer_come_apart(name: str, load: Load) -> None:
    reply = ask(load(name), name)
    assert (reply.thinking, reply.answer) == (THOUGHT, ANSWER)
    assert reply.thought_ended is ThoughtEnded.CLOSED
    assert reply.finish_reason is FinishReason.STOP


@pytest.mark.parametrize("name", FAMILIES)
def test_auto_knows_the_family_by_architecture_and_template(name: str) -> None:
    family = FAMILIES[name]
    said = {"general.architecture": family.architecture, "tokenizer.chat_template": family.template}
    metadata = {key: text(key, value) for key, value in said.items()}
    assert choose_profile(metadata, thinking=True).profile == family.profile
    other = metadata | {"general.architecture": text("general.architecture", "other")}
    assert choose_profile(other, thinking=True).profile == "qwq"


@pytest.mark.parametrize(
    "name", ["gpt-oss", "gemma4", "glm", "nemotron", "nemotron-nano", "exaone4"]
)
def test_thoughts_that_are_turned_off_do_not_begin(name: str, load: Load) -> None:
    profile = load_profile(FAMILIES[name].profile).with_thinking(False)
    responder = Responder(load(name), profile)
    with closing(responder):
        prompt = responder.render([Message("user", "hi")])
    assert prompt.ends_with(responder.thoughts.tags.no_thought.strip().split("\n")[-1])
    assert respond(load(name), profile).thinking == ""


def test_a_budget_leads_from_the_channel_of_the_thought_to_the_answer(load: Load) -> None:
    model = load("gpt-oss")
    governed = replace(load_profile("gpt-oss"), governor=Governor(4, "So: France."))
    response = respond(model, governed)
    assert response.thinking == f"{THOUGHT}\nSo: France."
    assert response.thought_ended is ThoughtEnded.BUDGET
    assert response.answer == ANSWER


@pytest.mark.parametrize("budget", [1, 2, 5])
def test_no_words_are_put_into_a_header(budget: int, load: Load) -> None:
    governed = replace(load_profile("gpt-oss"), governor=Governor(budget, "So: France."))
    response = respond(load("gpt-oss"), governed)
    assert "So: France." not in response.answer
    assert response.answer.endswith(ANSWER)


def test_a_grammar_binds_the_answer_and_no_mark_before_it(load: Load) -> None:
    bound = load_profile("gpt-oss").with_overrides(grammar=f'root ::= "{ANSWER}"')
    reply = ask(load("gpt-oss"), "gpt-oss", bound)
    assert (reply.thinking, reply.answer) == (THOUGHT, ANSWER)
    other = load_profile("gpt-oss").with_overrides(grammar='root ::= "---"')
    reply = ask(load("gpt-oss"), "gpt-oss", other)
    assert (reply.thinking, reply.answer) == (THOUGHT, "---")


# How the thought before a call is told again, the call, and the result behind it; of others the
# call is told as it was written.
_TOLD_AGAIN = {
    "gpt-oss": (
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|>",
        "<|start|>functions.calculator to=assistant<|channel|>commentary<|message|>",
    ),
    "gemma4": (
        f"<|channel>thought\n{THOUGHT}\n<channel|><|tool_call>call:calculator{{expression:"
        '<|"|>6*7<|"|>}<tool_call|>',
        '<|tool_response>response:calculator{value:<|"|>',
    ),
}
_CALLING = {name: family for name, family in (FAMILIES | PLAIN).items() if family.call}


@pytest.mark.parametrize("name", _CALLING)
def test_a_call_in_the_familys_own_form_is_run(name: str, load: Load) -> None:
    family, profile = _CALLING[name], load_profile(_CALLING[name].profile)
    conversation = Conversation(
        load(name, calls=True),
        profile,
        tools=(Calculator(),),
        seed=1,
        tool_rounds=1,
        template_variables=family.variables,
    )
    with closing(conversation):
        prompts = []
        render = conversation.responder._render

        def watched(*arguments: object, **options: object) -> object:
            prompts.append(render(*arguments, **options))  # type: ignore[arg-type]
            return prompts[-1]

        conversation.responder._render = watched  # type: ignore[method-assign, assignment]
        *_, last = conversation.stream("What is 6*7?")
    assert isinstance(last, Finished)
    assert last.reply.tool_calls == (ToolCall("calculator", CALL),)
    # It recites on, now to the end of the context: a last round may not call.
    assert last.reply.finish_reason in (FinishReason.TOOL_LIMIT, FinishReason.CONTEXT)
    assert last.reply.answer
    # Its thought is told again before the call, as the template wants it.
    again = prompts[-1].text
    written = "".join(family.call)
    call = written.rpartition(profile.thinking.close)[2].strip()
    assert all(each in again for each in _TOLD_AGAIN.get(name, (call,)))
    assert "42" in again


def test_a_word_of_the_system_message_turns_off_nemotron_nanos_thoughts(load: Load) -> None:
    """Its template reads it there, and has no variable for it."""
    model, profile = load("nemotron-nano"), load_profile("nemotron-nano-v2")
    for system, thought in (("Be brief. /no_think", ""), ("Be brief. /think", THOUGHT)):
        conversation = Conversation(model, profile, system=system, seed=1)
        with closing(conversation):
            *_, last = conversation.stream("What is the capital of France?")
        assert isinstance(last, Finished)
        assert (last.reply.thinking, last.reply.answer) == (thought, ANSWER)
    off = profile.with_thinking(False)
    assert respond(model, off).thinking == ""
    # Turned off, it is told so in its own way.
    with closing(Responder(model, profile)) as usual, closing(Responder(model, off)) as silent:
        for said, word in (((), "/no_think"), ((Message("system", "Be brief."),), "\n/no_think")):
            told = Message("system", "".join(each.content for each in said) + word)
            asked = Message("user", "hi")
            prompt = silent.render([*said, asked])
            assert prompt == usual.render([told, asked])
            assert prompt.ends_with("<think></think>")


def test_without_tools_a_call_is_shown_as_what_it_is(load: Load) -> None:
    response = respond(load("gpt-oss", calls=True), load_profile("gpt-oss"))
    assert response.calls == ()
    assert response.answer == 'calculator({"expression": "6*7"})'
