"""Who decides whether a reply begins with a thought, and what its prompt then looks like."""

from __future__ import annotations

from typing import Any

import pytest

from qwq_gguf.chat.messages import Message, ToolCall
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.thinking import Phase, ThinkingTags, Thoughts, read_form
from support.chat_templates import CHATML, CLOSES, IF_ASKED, OPENS, STRIPS, UNLESS_TOLD, beginning
from support.families import FAMILIES, THOUGHT
from support.family_templates import HARMONY

OPENED, EMPTY = "<think>\n", "<think>\n\n</think>\n\n"
# As gpt-oss's: nothing turns thoughts off, and their tags are not known.
EFFORT = CHATML.replace("{% for", "{{ 'Reasoning: ' + (reasoning_effort or 'medium') }}{% for")
ASKS = "{{ 'Write <think>thoughts</think> first.\\n' }}" + CHATML


def reply_begins(template: str, **options: Any) -> str:
    """What the prompt has behind the turn that asks for a reply."""
    thoughts = Thoughts(read_form(template), **options)
    made = ChatTemplate(template).render([Message("user", "q")], variables=thoughts.variables)
    return thoughts.begin(made, ()).text.rpartition("assistant\n")[2]


@pytest.mark.parametrize(
    "template, unset, on, off",
    [
        pytest.param(OPENS, OPENED, OPENED, EMPTY, id="opens"),
        pytest.param(CLOSES, EMPTY, EMPTY, EMPTY, id="closes"),
        pytest.param(UNLESS_TOLD, "", "", EMPTY, id="unless told"),
        pytest.param(IF_ASKED, EMPTY, OPENED, EMPTY, id="if asked"),
        pytest.param(STRIPS, "", "", EMPTY, id="only takes thoughts out"),
        pytest.param(CHATML, "", "", "", id="knows no thoughts"),
        pytest.param(EFFORT, "", "", "", id="effort"),
        pytest.param(ASKS, "", "", EMPTY, id="asks for a thought"),
        pytest.param(beginning("{{ '<think>' }}"), "<think>", "<think>", EMPTY, id="no line feed"),
    ],
)
def test_the_template_decides_where_it_says_something(
    template: str, unset: str, on: str, off: str
) -> None:
    assert reply_begins(template) == unset
    assert reply_begins(template, wanted=True) == on
    assert reply_begins(template, wanted=False) == off


@pytest.mark.parametrize(
    "template, opened",
    [(CLOSES, EMPTY), (IF_ASKED, EMPTY), (UNLESS_TOLD, OPENED), (STRIPS, ""), (CHATML, "")],
)
def test_a_profile_opens_what_is_left_open_to_a_model_that_thinks(
    template: str, opened: str
) -> None:
    assert reply_begins(template, opens=True) == opened


def test_a_family_that_is_known_to_think_may_have_a_template_without_a_word_of_it() -> None:
    assert reply_begins(CHATML, opens=True, reasoner=True) == OPENED
    assert reply_begins(CHATML, wanted=True, reasoner=True) == OPENED
    assert reply_begins(CHATML, wanted=False, reasoner=True) == EMPTY
    assert reply_begins(CLOSES, opens=True, reasoner=True) == EMPTY


def test_a_thought_is_opened_in_the_tags_that_the_template_has() -> None:
    seed = beginning("").replace("</think>", "</seed:think>")
    assert reply_begins(seed, opens=True, reasoner=True) == "<seed:think>\n"
    own = ThinkingTags("[A]", "[/A]")
    assert reply_begins(seed, opens=True, reasoner=True, asked_tags=own) == "[A]\n"


@pytest.mark.parametrize("template", [OPENS, UNLESS_TOLD, IF_ASKED, STRIPS])
def test_a_variable_of_the_users_turns_thoughts_off_too(template: str) -> None:
    assert reply_begins(template, given={"enable_thinking": False}) == EMPTY


def test_a_users_variable_wins_over_the_switch() -> None:
    thoughts = Thoughts(read_form(EFFORT), True, given={"reasoning_effort": "low"})
    assert thoughts.variables == {"reasoning_effort": "low"}
    assert Thoughts(read_form(EFFORT), True).variables == {"reasoning_effort": "high"}


@pytest.mark.parametrize(
    "template, wanted, said",
    [
        (OPENS, None, None),
        (OPENS, True, None),
        (OPENS, False, "ends in an empty one"),
        (CLOSES, False, None),
        (CLOSES, True, "it stays closed"),
        (UNLESS_TOLD, False, None),
        (UNLESS_TOLD, True, None),
        (STRIPS, False, "ends in an empty one"),
        (STRIPS, True, "nothing says that this model can think"),
        (CHATML, False, "nothing to turn off"),
        (EFFORT, False, "no way to turn thoughts off"),
        (ASKS, True, None),
    ],
)
def test_what_could_not_be_done_as_asked_is_said(
    template: str, wanted: bool | None, said: str | None
) -> None:
    note = Thoughts(read_form(template), wanted).note
    assert note is None if said is None else said in (note or "")


@pytest.mark.parametrize(
    "template, options, phase, undecided",
    [
        pytest.param(OPENS, {}, Phase.THINKING, False, id="inside"),
        pytest.param(OPENS, {"wanted": False}, Phase.ANSWER, False, id="closed"),
        pytest.param(STRIPS, {}, Phase.ANSWER, True, id="left to the model"),
        pytest.param(CHATML, {}, Phase.ANSWER, False, id="no thoughts"),
    ],
)
def test_the_reply_is_split_from_where_the_prompt_leaves_it(
    template: str, options: dict[str, Any], phase: Phase, undecided: bool
) -> None:
    thoughts = Thoughts(read_form(template), **options)
    made = ChatTemplate(template).render([Message("user", "q")], variables=thoughts.variables)
    splitter = thoughts.splitter(thoughts.begin(made, ()), {"</think>": 7}.get)
    assert (splitter.phase, splitter.undecided) == (phase, undecided)
    if phase is Phase.THINKING:
        splitter.feed("x </think>", 7)  # the token that is the tag, wherever it stands
        assert splitter.closed


def harmony(**options: Any) -> str:
    """What the prompt has behind the last `assistant`."""
    thoughts = Thoughts(read_form(HARMONY), **options)
    made = ChatTemplate(HARMONY).render([Message("user", "q")], variables=thoughts.variables)
    return thoughts.begin(made, ()).text.rpartition("assistant")[2]


def test_a_reply_in_channels_begins_as_it_likes_or_with_the_answer() -> None:
    assert harmony() == harmony(wanted=True) == harmony(opens=True) == ""
    assert harmony(wanted=False) == "<|channel|>final<|message|>"
    off = Thoughts(read_form(HARMONY), False)
    assert off.note is not None
    assert "the prompt begins the answer" in off.note


TALK = (
    Message("user", "q"),
    Message("assistant", "a", thinking=THOUGHT),
    Message("user", "more"),
)


def history(name: str, **options: Any) -> str:
    template = FAMILIES[name].template
    thoughts = Thoughts(read_form(template), **options)
    messages = thoughts.earlier(TALK)
    return ChatTemplate(template).render(messages, variables=thoughts.variables).text


@pytest.mark.parametrize(
    "name, kept",
    [
        ("gpt-oss", False),
        ("gemma4", False),
        ("glm", False),
        ("qwen3.6", False),
        ("seed-oss", True),
        ("magistral", False),
        ("deepseek-r1", False),
    ],
)
def test_the_history_has_the_thoughts_that_its_template_wants(name: str, kept: bool) -> None:
    assert (THOUGHT in history(name)) is kept
    assert THOUGHT not in history(name, history="answers")


@pytest.mark.parametrize("name", ["glm", "qwen3.6", "seed-oss", "magistral"])
def test_all_thoughts_stay_where_the_template_lets_them(name: str) -> None:
    assert THOUGHT in history(name, history="all")


def test_before_a_call_gpt_oss_is_told_its_thought() -> None:
    call = ToolCall("calculator", {"expression": "6*7"})
    talk = (
        Message("user", "q"),
        Message("assistant", "I look it up.", (call,), thinking=THOUGHT),
        Message("tool", "42", name="calculator"),
    )
    (_, said, _) = Thoughts(read_form(HARMONY)).earlier(talk)
    assert (said.content, said.to_json()["thinking"]) == ("", THOUGHT)


@pytest.mark.parametrize(
    "template, options, variables",
    [
        (HARMONY, {"effort": "low"}, {"reasoning_effort": "low"}),
        (HARMONY, {"effort": "low", "wanted": True}, {"reasoning_effort": "low"}),
        (HARMONY, {"effort": "low", "wanted": False}, {}),
        (HARMONY, {"effort": "low", "given": {"reasoning_effort": "x"}}, {"reasoning_effort": "x"}),
        (HARMONY, {"effort": "max"}, {}),
        (FAMILIES["seed-oss"].template, {"budget": 512}, {"thinking_budget": 512}),
        (FAMILIES["seed-oss"].template, {"budget": 0, "wanted": False}, {"thinking_budget": 0}),
        (HARMONY, {"budget": 512}, {}),
        (FAMILIES["glm"].template, {"history": "all"}, {"clear_thinking": False}),
    ],
)
def test_a_template_is_told_what_it_knows_a_word_for(
    template: str, options: dict[str, Any], variables: dict[str, Any]
) -> None:
    assert Thoughts(read_form(template), **options).variables == variables


def test_an_effort_that_a_template_does_not_know_is_said() -> None:
    assert Thoughts(read_form(HARMONY), effort="low").note is None
    note = Thoughts(read_form(HARMONY), effort="max").note
    assert note == "the chat template knows no effort max (it knows: low, medium, high)"
    note = Thoughts(read_form(CHATML), effort="low").note
    assert note == "the chat template knows no effort low (it knows: none)"
