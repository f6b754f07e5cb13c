from __future__ import annotations

import pytest

from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.template import ChatTemplate, Limits, one_budget
from qwq_gguf.thinking import ThinkingTags, ThoughtForm, ThoughtStart, read_form
from support.chat_templates import (
    CHATML,
    CLOSES,
    IF_ASKED,
    OPENS,
    QWQ,
    R1_STYLE,
    STRIPS,
    UNLESS_TOLD,
    beginning,
)
from support.families import FAMILIES
from support.family_templates import HARMONY

OPENED, CLOSED, FREE = ThoughtStart.OPENED, ThoughtStart.CLOSED, ThoughtStart.FREE
# As DeepSeek-V3.1's: a bare closing tag stands for no thought.
BARE = beginning("{{ '<think>' if thinking else '</think>' }}")
# As Seed-OSS's: a budget of 0 closes.
BUDGET = (
    "{%- for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ 'assistant: ' }}"
    "{%- if thinking_budget is defined and thinking_budget == 0 %}"
    "{{ '<seed:think>\\n</seed:think>' }}{%- endif %}{%- endif %}"
)
# As gpt-oss's: the effort is a word in the prompt, and nothing turns thoughts off.
EFFORT = beginning("").replace(
    "{%- for m", "{{ 'Reasoning: ' + (reasoning_effort or 'medium') }}{%- for m"
)
# As Granite's and Cogito's: the switch only changes what the system turn says.
TOLD = "{%- if enable_thinking %}{{ 'system: WORDS\\n' }}{%- endif %}" + BUDGET.replace(
    "{%- if thinking_budget", "{%- if false and thinking_budget"
)
# As Phi-4-reasoning's and Magistral's: the system turn asks for a thought.
ASKS = "{{ 'Write [THINK]your thoughts[/THINK] first.\\n' }}" + beginning("").replace(
    ".split('</think>')[-1].lstrip('\\n')", ""
)
# As Mistral's: an effort of none is one of the words that it knows.
KNOWN_EFFORT = (
    "{%- set e = reasoning_effort | default('none') %}{%- if e not in ['none', 'high'] %}"
)
KNOWN_EFFORT += "{{ raise_exception('no') }}{%- endif %}{{ 'effort ' + e }}" + CHATML
# As Hunyuan 3's: it has a word of its own for no effort, and refuses others.
OWN_WORD = KNOWN_EFFORT.replace("'none'", "'no_think'").replace(
    CHATML, beginning("<think>{%- if e == 'no_think' %}</think>{%- endif %}")
)
# As MiniMax-M3's: told nothing, it leaves it to the model.
MODES = beginning(
    "{%- if thinking_mode == 'disabled' %}</mm:think>"
    "{%- elif thinking_mode == 'enabled' %}<mm:think>{%- endif %}"
).replace("'</think>'", "'</mm:think>'")
# As Kimi-K2-Thinking's: it writes the thought that comes with a turn.
WRITES = CHATML.replace(
    "{{ message['content']",
    "{% if message.role == 'assistant' %}<think>{{ message.reasoning_content }}</think>"
    "{% endif %}{{ message['content']",
)
# The rest of the families have no way of their own.
TOLD_OFF = {
    **dict.fromkeys(
        ("gemma4", "glm", "qwen3.6", "qwen3", "nemotron", "exaone4", "smollm3"), "enable_thinking"
    ),
    "seed-oss": "thinking_budget",
    "nemotron-nano": "/no_think",
}


@pytest.mark.parametrize(
    "template, unset, on, off, switch, thinks, drops",
    [
        pytest.param(QWQ, OPENED, OPENED, OPENED, None, True, True, id="qwq"),
        pytest.param(R1_STYLE, OPENED, OPENED, OPENED, None, True, True, id="r1"),
        pytest.param(STRIPS, FREE, FREE, FREE, None, False, True, id="only takes thoughts out"),
        pytest.param(CLOSES, CLOSED, CLOSED, CLOSED, None, False, True, id="closes"),
        pytest.param(
            UNLESS_TOLD, FREE, FREE, CLOSED, "enable_thinking", True, True, id="unless told"
        ),
        pytest.param(
            IF_ASKED, CLOSED, OPENED, CLOSED, "enable_thinking", False, True, id="if asked"
        ),
        pytest.param(BARE, CLOSED, OPENED, CLOSED, "thinking", False, True, id="bare closing tag"),
        pytest.param(BUDGET, FREE, FREE, CLOSED, "thinking_budget", True, False, id="budget"),
        pytest.param(EFFORT, FREE, FREE, FREE, "reasoning_effort", True, True, id="effort"),
        pytest.param(
            KNOWN_EFFORT, FREE, FREE, FREE, "reasoning_effort", False, False, id="known effort"
        ),
        pytest.param(
            OWN_WORD, CLOSED, OPENED, CLOSED, "reasoning_effort", False, True, id="own word"
        ),
        pytest.param(MODES, FREE, OPENED, CLOSED, "thinking_mode", True, True, id="modes"),
        pytest.param(TOLD, FREE, FREE, FREE, "enable_thinking", False, False, id="told in words"),
        pytest.param(ASKS, FREE, FREE, FREE, None, True, False, id="asks for a thought"),
    ],
)
def test_the_prompt_says_what_becomes_of_a_thought(
    template: str,
    unset: ThoughtStart,
    on: ThoughtStart,
    off: ThoughtStart,
    switch: str | None,
    thinks: bool,
    drops: bool,
) -> None:
    form = read_form(template, {"bos_token": "<s>", "eos_token": "</s>"})
    assert (form.unset, form.on, form.off) == (unset, on, off)
    assert (form.switch.name if form.switch else None) == switch
    assert (form.thinks, form.drops_history) == (thinks, drops)


@pytest.mark.parametrize("name", FAMILIES)
def test_how_each_family_is_told_not_to_think(name: str) -> None:
    """By a variable, by a word in the system's message, or not at all: then the prompt does it."""
    form = read_form(FAMILIES[name].template)
    told = form.word or (form.switch.name if form.switch and form.switch.off is not None else None)
    assert told == TOLD_OFF.get(name)
    assert (form.off is CLOSED) is (told is not None)


def test_a_word_that_closes_no_thought_turns_nothing_off() -> None:
    template = FAMILIES["nemotron-nano"].template
    assert read_form(template.replace("ns.on = false", "ns.on = true")).word is None
    assert read_form(OPENS + "{# /no_think #}").word is None


@pytest.mark.parametrize(
    "template",
    [
        CHATML,
        CHATML + "{# <think> </think> #}",
        "{% set note = '<think>' %}" + CHATML,
        "{{ raise_exception('no') }}",
        "{% for",
    ],
)
def test_a_word_is_no_thought(template: str) -> None:
    assert read_form(template) == ThoughtForm()


def test_the_switch_is_set_both_ways() -> None:
    form = read_form(UNLESS_TOLD)
    assert form.variables(True) == {"enable_thinking": True}
    assert form.variables(False) == {"enable_thinking": False}
    assert form.variables(None) == {}
    assert form.start(False) is CLOSED


def test_a_side_without_a_value_is_left_unset() -> None:
    assert read_form(BUDGET).variables(True) == {}
    assert read_form(BUDGET).variables(False) == {"thinking_budget": 0}
    assert read_form(EFFORT).variables(False) == {}  # nothing in it knows an effort of none
    assert read_form(EFFORT).variables(True) == {"reasoning_effort": "high"}


def test_the_tags_are_those_the_template_writes() -> None:
    assert read_form(BUDGET).tags == ThinkingTags("<seed:think>", "</seed:think>")
    magistral = beginning("").replace("</think>", "[/THINK]")
    assert read_form(magistral).tags == ThinkingTags("[THINK]", "[/THINK]")


def test_a_question_that_ends_in_a_tag_opens_nothing() -> None:
    # The user's words are no prompt: a template without one of its own ends in them.
    assert read_form("{% for m in messages %}{{ m.content }}{% endfor %}") == ThoughtForm()


def test_words_in_the_prompt_name_the_tags() -> None:
    assert read_form(TOLD).tags is None
    told = read_form(TOLD.replace("WORDS", "Write thoughts between <think></think>."))
    assert told.tags == ThinkingTags()
    assert not told.asks  # only with the switch on
    assert read_form(ASKS).tags == ThinkingTags("[THINK]", "[/THINK]")
    assert read_form(ASKS).asks


def test_a_thought_that_a_turn_comes_with_names_the_tags() -> None:
    form = read_form(WRITES)
    assert form.tags == ThinkingTags()
    assert not form.thinks  # that is left to the model


def test_an_effort_of_none_counts_where_the_template_knows_it() -> None:
    assert read_form(KNOWN_EFFORT).variables(False) == {"reasoning_effort": "none"}
    assert read_form(OWN_WORD).variables(False) == {"reasoning_effort": "no_think"}
    assert read_form(MODES).variables(True) == {"thinking_mode": "enabled"}


SLOW = "{% for a in range(300) %}{% for b in range(300) %}{% endfor %}{% endfor %}"


def test_a_template_too_slow_to_be_asked_knows_of_no_thoughts() -> None:
    slow = "{% for a in range(9) %}" + SLOW + "{% endfor %}"
    assert read_form(slow + OPENS) == ThoughtForm()


def test_an_answer_that_somebody_elses_questions_cut_short_is_not_kept() -> None:
    template = SLOW + OPENS
    with one_budget(Limits(steps=150_000, seconds=60)):
        ChatTemplate(template).render([Message("user", "q")])
        assert read_form(template) == ThoughtForm()
    assert read_form(template).unset is OPENED


def test_channels_are_found_by_rendering() -> None:
    form = read_form(HARMONY)
    assert form.tags is not None
    assert form.tags.channels is not None
    assert (form.unset, form.thinks, form.drops_history) == (FREE, True, True)
    assert form.field == "thinking"
    assert form.efforts == ("low", "medium", "high")
    assert "efforts" in form.to_json()
    assert "reasoning_effort low/medium/high" in form.describe()
    # The words alone are none.
    assert read_form("{# <|channel|>analysis<|message|> #}" + CHATML) == ThoughtForm()
    assert read_form(CHATML.replace("<|im_start|>", "<|start|>")) == ThoughtForm()


@pytest.mark.parametrize(
    "name, field, keeps, budgets",
    [
        ("gemma4", "reasoning", None, False),
        ("seed-oss", "reasoning_content", None, True),
        ("glm", "reasoning_content", ("clear_thinking", False), False),
        ("qwen3.6", "reasoning_content", ("preserve_thinking", True), False),
        ("deepseek-r1", None, None, False),
        ("magistral", None, None, False),
    ],
)
def test_what_a_template_takes_besides(
    name: str, field: str | None, keeps: tuple[str, object] | None, budgets: bool
) -> None:
    form = read_form(FAMILIES[name].template)
    assert (form.field, form.keeps, form.budgets) == (field, keeps, budgets)


@pytest.mark.parametrize(
    "template, efforts",
    [
        (OWN_WORD, ("high",)),
        (KNOWN_EFFORT, ("high",)),
        (EFFORT, ("low", "medium", "high")),
        (CHATML, ()),
        ("{# reasoning_effort #}" + CHATML, ()),
        ("{{ 'Think hard.' if reasoning_effort == 'max' }}" + OPENS, ("max",)),
        (
            "{{ 'Think ' ~ reasoning_effort if enable_thinking }}" + IF_ASKED,
            ("low", "medium", "high"),
        ),
    ],
)
def test_the_words_for_an_effort_are_those_that_change_the_prompt(
    template: str, efforts: tuple[str, ...]
) -> None:
    assert read_form(template).efforts == efforts
