"""Calls as grammars: as each template writes them, with arguments that fit, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwq_gguf.chat.messages import Message, ToolCall, ToolSpec
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.chat.tool_formats import GEMMA, HERMES, CallForm, ToolUse, read_tool_use
from qwq_gguf.chat.tool_formats.writing import call_form
from qwq_gguf.sampling import Grammar
from qwq_gguf.sampling.gbnf_recogniser import Recogniser
from qwq_gguf.serve.schema import ANY_OBJECT, calls_grammar, grammar_of
from support.tool_templates import TOOL_TEMPLATES, tool_template

WEATHER = ToolSpec(
    "weather",
    "",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "minimum": 1},
            "unit": {"enum": ["C", "F"]},
        },
        "required": ["city"],
    },
)
NOW = ToolSpec("now", "", {"type": "object", "properties": {}})


WRITTEN = [name for name in TOOL_TEMPLATES if read_tool_use(tool_template(name)).written]


def test_each_form_is_known_well_enough_to_force_a_call() -> None:
    assert set(TOOL_TEMPLATES) == set(WRITTEN)
    # Else the server refuses such requests; see `Resident`.
    assert call_form(HERMES, {}) is None


def takes(grammar: str, text: str) -> bool:
    recogniser = Recogniser(Grammar(grammar).rules)
    reading = recogniser.read(recogniser.begin(), text.encode())
    return reading is not None and reading.complete


def form_of(use: ToolUse) -> CallForm:
    assert use.written is not None
    return use.written


def written(name: str, use: ToolUse, *calls: ToolCall) -> str:
    """The calls as the template itself writes them."""
    results = [Message("tool", "QresultQ", name=call.name) for call in calls]
    asked = (Message("user", "QquestionQ"), Message("assistant", "", calls), *results)
    text = ChatTemplate(tool_template(name)).render(use.shaped(asked), (WEATHER, NOW)).text
    text = text.rpartition("QquestionQ")[2].partition("QresultQ")[0]
    text = text[min(at for each in use.format.watched if (at := text.find(each)) >= 0) :]
    span = use.format.span(text)
    assert span is not None
    return text[span[0] : span[1]]


@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_template_writes_is_a_text_of_it(name: str) -> None:
    use = read_tool_use(tool_template(name))
    grammar = calls_grammar(form_of(use), (WEATHER, NOW), several=True)
    for call in (
        ToolCall("weather", {"city": "Ulm", "days": 3, "unit": "C"}),
        ToolCall("weather", {"city": "a < b\n'\"", "unit": "F"}),
        ToolCall("weather", {"city": "Ulm"}),
        ToolCall("now"),
    ):
        text = written(name, use, call)
        assert takes(grammar, text), text
        assert use.format.knowing((WEATHER, NOW)).parse(text).calls == (call,)
    for wrong in (
        ToolCall("weather", {"city": "Ulm", "days": "many"}),
        ToolCall("weather", {"city": "Ulm", "unit": "K"}),
        ToolCall("weather", {"days": 3}),
        ToolCall("weather"),
        ToolCall("other"),
    ):
        assert not takes(grammar, written(name, use, wrong))
    assert not takes(grammar, "It rains.")


@pytest.mark.parametrize("name", ["hermes", "qwen-xml", "glm", "deepseek", "deepseek-r1"])
def test_one_call_or_several(name: str) -> None:
    use = read_tool_use(tool_template(name))
    both = written(name, use, ToolCall("now"), ToolCall("weather", {"city": "Ulm"}))
    form = form_of(use)
    assert takes(calls_grammar(form, (WEATHER, NOW), several=True), both)
    assert not takes(calls_grammar(form, (WEATHER, NOW), several=False), both)


def test_a_named_tool_is_the_only_one() -> None:
    use = read_tool_use(tool_template("hermes"))
    grammar = calls_grammar(form_of(use), (NOW,), several=True)
    assert takes(grammar, written("hermes", use, ToolCall("now")))
    assert not takes(grammar, written("hermes", use, ToolCall("weather", {"city": "Ulm"})))


def test_an_answer_in_a_form_or_a_call() -> None:
    form = form_of(read_tool_use(tool_template("hermes")))
    answer = grammar_of({"type": "object", "properties": {"n": {"type": "integer"}}})
    grammar = calls_grammar(form, (WEATHER, NOW), several=True, answer=answer)
    assert takes(grammar, '{"n": 3}')
    assert takes(grammar, '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>')
    assert not takes(grammar, "three")
    assert not takes(grammar, '{"name": "now", "arguments": {}}')


@pytest.mark.parametrize("name", WRITTEN)
def test_any_object_or_a_call(name: str) -> None:
    """Also where a call is an object, too."""
    use = read_tool_use(tool_template(name))
    grammar = calls_grammar(form_of(use), (WEATHER, NOW), several=True, answer=ANY_OBJECT)
    assert takes(grammar, '{"any": [1, {"thing": null}]}')
    assert takes(grammar, written(name, use, ToolCall("weather", {"city": "Ulm"})))
    assert not takes(grammar, "[1]")


def test_texts_between_marks_may_be_anywhere_in_a_value() -> None:
    """As Gemma writes them: names in order and without quotes, and no JSON for texts."""
    schema = {
        "type": "object",
        "properties": {
            "where": {"type": "object", "properties": {"city": {"type": "string"}}},
            "days": {"type": "array", "items": {"enum": ["Mon", "Tue"]}, "minItems": 1},
            "any": {},
            "code": {"type": "string", "maxLength": 3},
        },
        "required": ["days", "where"],
    }
    form = form_of(read_tool_use(tool_template("gemma")))
    grammar = calls_grammar(form, (ToolSpec("f", "", schema),), several=True)
    q = '<|"|>'

    def call(body: str) -> str:
        return f"<|tool_call>call:f{{{body}}}<tool_call|>"

    good = f'days:[{q}Mon{q},{q}Tue{q}],where:{{city:{q}a <b {{}} "c"{q}}}'
    free = f"any:{{x:[1,{q}y{q},null]}},code:{q}abc{q},{good}"
    for body in (good, free):
        assert takes(grammar, call(body))
        assert takes(grammar, call(body) * 2)
        assert len(GEMMA.parse(call(body)).calls) == 1
    for body in (
        "",
        good.replace("Tue", "Wed"),
        good.replace(q, '"'),
        free.replace("abc", "abcd"),
        f"where:{{}},days:[{q}Mon{q}]",
    ):
        assert not takes(grammar, call(body)), body


LOOSE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "code": {"type": "string", "pattern": "^[A-Z]+$"},
        "size": {"type": "integer", "minimum": 5, "multipleOf": 5},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "either": {"anyOf": [{"type": "integer"}, {"type": "null"}], "title": "x", "if": {}},
        "node": {"$ref": "#/$defs/node", "description": "it"},
        "odd": {"not": {}},
    },
    "required": ["code", "size"],
    "minProperties": 1,
    "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
}


def test_words_that_no_grammar_holds_are_left_out_and_the_rest_is_not() -> None:
    form = form_of(read_tool_use(tool_template("hermes")))
    grammar = calls_grammar(form, (ToolSpec("f", "", LOOSE),), several=False)

    def call(**arguments: Any) -> str:
        text = json.dumps(arguments)
        return f'<tool_call>\n{{"name": "f", "arguments": {text}}}\n</tool_call>'

    node: dict[str, Any] = {"next": {"next": {}}}
    assert takes(grammar, call(code="a", size=7, tags=["x"], either=None, node=node, odd=[1]))
    assert takes(grammar, call(code="a", size=7))
    assert not takes(grammar, call(code=1, size=7))
    assert not takes(grammar, call(code="a"))
    assert not takes(grammar, call(code="a", size=7, either="x"))
    assert not takes(grammar, call(code="a", size=7, node={"last": 1}))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"type": "object"},
        {"properties": 3, "required": 3},
        {"type": "object", "properties": {"a": False}, "required": ["b"]},
        {"$ref": "#"},
        {"type": "object", "properties": {"a": {"$ref": "#/x"}}},
        {"type": "string"},
        {"type": "object", "properties": {"a": {"enum": []}}},
        {"type": "object", "properties": {'"\n\\': {"type": "null"}}, "required": ['"\n\\']},
    ],
)
@pytest.mark.parametrize("name", ["hermes", "qwen-xml"])
def test_any_description_makes_a_grammar(name: str, parameters: dict[str, Any]) -> None:
    form = form_of(read_tool_use(tool_template(name)))
    Grammar(calls_grammar(form, (ToolSpec("f", "", parameters),), several=True))  # or ChainError
