"""Calls in the forms of several families, through a whole conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from qwq_gguf.chat.events import AnswerDelta, ChatEvent, Finished, Reply, ToolResult
from qwq_gguf.chat.messages import ToolSpec
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.profiles import Profile
from qwq_gguf.sampling import Greedy, SamplerChain
from support.scripted import ScriptedModel, ScriptedSession
from support.tool_templates import tool_template

PROFILE = Profile("test", "A profile for tests", SamplerChain((Greedy(),)))


class Doubler:
    """A tool that wants a number, and remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    @property
    def spec(self) -> ToolSpec:
        number = {"type": "integer", "maximum": 100}
        schema = {"type": "object", "properties": {"number": number}, "required": ["number"]}
        return ToolSpec("double", "Doubles.", schema)

    def run(self, arguments: Mapping[str, Any]) -> str:
        self.given.append(arguments["number"])
        return str(2 * arguments["number"])


def talk(form: str, replies: Sequence[str]) -> tuple[Doubler, Reply, list[ChatEvent], list[str]]:
    model = ScriptedModel(tool_template(form))
    session = ScriptedSession(model, replies)
    tool = Doubler()
    chat = Conversation(cast(Model, model), PROFILE, tools=[tool], session=cast(Session, session))
    events = list(chat.stream("double 7 and 8"))
    last = events[-1]
    assert isinstance(last, Finished)
    return tool, last.reply, events, session.prompts


CALLS = {
    "hermes": '<tool_call>\n{"name": "double", "arguments": {"number": "%d"}}\n</tool_call>',
    "qwen-xml": "<tool_call>\n<function=double>\n<parameter=number>\n%d\n</parameter>\n"
    "</function>\n</tool_call>",
    "glm": "<tool_call>double\n<arg_key>number</arg_key>\n<arg_value>%d</arg_value>\n</tool_call>",
    "deepseek-r1": "<｜tool▁call▁begin｜>function<｜tool▁sep｜>double\n```json\n"  # noqa: RUF001
    '{"number": %d}\n```<｜tool▁call▁end｜>',  # noqa: RUF001
    "mistral": '[TOOL_CALLS]double[ARGS]{"number": %d}',
    "llama": '{"name": "double", "parameters": {"number": %d}}',
}


@pytest.mark.parametrize("form", CALLS)
def test_two_calls_are_run_and_answered(form: str) -> None:
    said = "" if form == "llama" else "Well.\n"
    calls = "\n".join(CALLS[form] % number for number in (7, 8))
    tool, reply, events, prompts = talk(form, [said + calls, "14 and 16"])
    assert tool.given == [7, 8]
    assert [dict(call.arguments) for call in reply.tool_calls] == [{"number": 7}, {"number": 8}]
    assert reply.answer == "14 and 16"
    shown = "".join(event.text for event in events if isinstance(event, AnswerDelta))
    assert shown == f"{said}14 and 16"
    # The model reads its own calls again, and both results behind them.
    again = prompts[1].partition("double 7 and 8")[2]
    assert again.index("7") < again.index("14") < again.index("16")


@pytest.mark.parametrize("form", CALLS)
def test_what_does_not_fit_the_schema_comes_back(form: str) -> None:
    wrong, right = CALLS[form] % 700, CALLS[form] % 7
    tool, reply, events, prompts = talk(form, [wrong, right, "14"])
    assert (tool.given, reply.answer) == ([7], "14")
    failed = [event.content for event in events if isinstance(event, ToolResult) and event.failed]
    assert failed == ["error: the argument number may be at most 100"]
    assert failed[0] in prompts[1]


def test_a_misspelt_tool_is_told_the_right_name() -> None:
    call = (CALLS["hermes"] % 7).replace("double", "doubel")
    tool, _, events, _ = talk("hermes", [call, "So."])
    (failed,) = (event for event in events if isinstance(event, ToolResult))
    assert failed.content == "error: there is no tool doubel; did you mean double?"
    assert tool.given == []


@pytest.mark.parametrize("form", ["llama", "qwen-xml"])
def test_what_only_looked_like_a_call_is_shown(form: str) -> None:
    answer = '{"name": "Ada", "born": 1815}' if form == "llama" else "Is 3 <functions, or more?"
    _, reply, events, _ = talk(form, [answer])
    shown = "".join(event.text for event in events if isinstance(event, AnswerDelta))
    assert reply.answer == shown == answer


@pytest.mark.parametrize("form", [form for form in CALLS if form != "llama"])
@pytest.mark.parametrize(
    "answer",
    [
        '```json\n{\n  "name": "double",\n  "arguments": {\n    "number": 7\n  }\n}\n```',
        '{"name": "double", "arguments": {"number": 7}}',
        "{'name': 'double', 'parameters': {'number': 7}}",
    ],
)
def test_an_answer_that_is_nothing_but_a_call_is_one(form: str, answer: str) -> None:
    """As small models write it that were not trained on their template."""
    tool, reply, events, _ = talk(form, [answer, "14"])
    assert (tool.given, reply.answer) == ([7], "14")
    assert "".join(event.text for event in events if isinstance(event, AnswerDelta)) == "14"


@pytest.mark.parametrize(
    "answer",
    [
        'Write {"name": "double", "arguments": {"number": 7}}',
        '{"name": "double", "arguments": {"number": 7}} would be it',
        '{"name": "Ada", "arguments": {"number": 7}}',
        '{"name": "double", "arguments": {"number": 7}',
        '```json\n{\n  "name": "Ada"\n}\n```',
    ],
)
def test_an_answer_that_only_shows_a_call_is_none(answer: str) -> None:
    tool, reply, events, _ = talk("hermes", [answer])
    assert (tool.given, reply.answer) == ([], answer)
    assert "".join(event.text for event in events if isinstance(event, AnswerDelta)) == answer
