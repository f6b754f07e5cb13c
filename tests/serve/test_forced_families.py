"""Calls that have to come from models whose calls are no JSON in tags: Gemma's and gpt-oss's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from qwq_gguf.chat.messages import ToolSpec
from qwq_gguf.sampling import Grammar
from qwq_gguf.sampling.gbnf_recogniser import Recogniser
from qwq_gguf.serve.schema import ANY_OBJECT, channel_calls_grammar
from qwq_gguf.thinking import Channels
from qwq_gguf.tools.calculator import Calculator
from support.families import ANSWER, CALL, FAMILIES, THOUGHT, write_family
from support.http_client import ask
from support.recital import write_recital
from support.serving import Running, running

WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"unit": {"enum": ["C", "F"]}},
    "required": ["unit"],
}
TOOLS = [
    Calculator().spec.to_json(),
    {"type": "function", "function": {"name": "weather", "parameters": WEATHER}},
]
Serve = Callable[..., Running]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    folder, made = tmp_path_factory.mktemp("families"), dict[tuple[str, bool], Running]()
    with ExitStack() as stack:

        def serve(name: str, *, calls: bool) -> Running:
            key = name, calls
            if key not in made:
                path = write_family(folder / f"{name}-{calls}.gguf", name, calls=calls)
                server = running({"m": path}, first="m", context=1024, sequences=1)
                made[key] = stack.enter_context(server)
            return made[key]

        yield serve


def message(server: Running, name: str, **more: Any) -> dict[str, Any]:
    body = {
        "messages": [{"role": "user", "content": "What is 6*7?"}],
        "temperature": 0,
        "seed": 1,
        "tools": TOOLS,
        "chat_template_kwargs": dict(FAMILIES[name].variables),
        **more,
    }
    told = ask(server.port, "/v1/chat/completions", body)
    assert told.status == 200, told.content
    (choice,) = told.json["choices"]
    assert choice["finish_reason"] == ("tool_calls" if more else "stop")
    found: dict[str, Any] = choice["message"]
    return found


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


@pytest.mark.parametrize("name", ["gpt-oss", "gemma4"])
def test_a_model_that_would_answer_calls_after_its_thought(name: str, serve: Serve) -> None:
    server = serve(name, calls=False)
    free = message(server, name)
    assert (free["reasoning_content"], free["content"]) == (THOUGHT, ANSWER)
    said = message(server, name, tool_choice=named("weather"))
    assert (said["reasoning_content"], said["content"]) == (THOUGHT, None)
    (call,) = said["tool_calls"]
    assert call["function"]["name"] == "weather"
    arguments = json.loads(call["function"]["arguments"])
    assert arguments["unit"] in ("C", "F")
    # Thoughts turned off, it calls at once.
    off: dict[str, Any] = {"reasoning_effort": "none", "chat_template_kwargs": {}}
    said = message(server, name, tool_choice=named("weather"), **off)
    assert not said.get("reasoning_content")
    assert said["tool_calls"][0]["function"]["name"] == "weather"


@pytest.fixture(scope="module")
def rambler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """gpt-oss with a thought that goes on and on."""
    family = FAMILIES["gpt-oss"]
    begins = family.chain[: family.chain.index(THOUGHT)]
    path = write_recital(
        tmp_path_factory.mktemp("rambler") / "m.gguf",
        (*begins, *(f" {number}" for number in range(400))),
        after=family.after,
        controls=family.controls,
        end=family.end,
        keys={"tokenizer.chat_template": family.template, "general.name": "Rambler"},
    )
    with running({"m": path}, first="m", context=1024, sequences=1) as server:
        yield server


@pytest.mark.parametrize("budget", [20, 60])
def test_the_thought_before_a_call_in_a_channel_is_bounded(budget: int, rambler: Running) -> None:
    said = message(rambler, "gpt-oss", tool_choice=named("weather"), thinking_budget=budget)
    numbers = re.findall(r"[0-9]+", said["reasoning_content"])
    assert list(map(int, numbers)) == list(range(len(numbers)))
    assert budget // 2 < len(numbers) <= budget
    (call,) = said["tool_calls"]
    assert json.loads(call["function"]["arguments"])["unit"] in ("C", "F")


def test_a_call_in_a_channel_does_not_go_in_circles(rambler: Running) -> None:
    note = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    body = {
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "note", "parameters": note}}],
        "tool_choice": "required",
        "thinking_budget": 20,
        "temperature": 0,
    }
    told = ask(rambler.port, "/v1/chat/completions", body).json
    assert told["choices"][0]["finish_reason"] == "length"
    assert told["usage"]["completion_tokens"] < 600


@pytest.mark.parametrize("name", ["gpt-oss", "gemma4"])
def test_one_that_calls_is_let_call_in_its_own_way(name: str, serve: Serve) -> None:
    one: dict[str, Any] = {"parallel_tool_calls": False}
    said = message(serve(name, calls=True), name, tool_choice="required", **one)
    assert (said["reasoning_content"], said["content"]) == (THOUGHT, None)
    (call,) = said["tool_calls"]
    assert call["function"]["name"] == "calculator"
    assert json.loads(call["function"]["arguments"]) == CALL


def test_a_call_in_a_channel_or_an_answer_in_a_form() -> None:
    tools = (ToolSpec("weather", "", WEATHER), ToolSpec("now", "", {}))
    thought = "<|channel|>analysis<|message|>1 < 2 <b>?<|end|><|start|>assistant"
    now = "<|channel|>commentary to=functions.now <|constrain|>json<|message|>{}"
    rain = now.replace("now", "weather").replace("{}", '{"unit": "C"}')
    answer = '<|channel|>final<|message|>{"n": 1}'

    def takes(text: str, **how: Any) -> bool:
        grammar = Grammar(channel_calls_grammar(Channels(), tools, **how))
        recogniser = Recogniser(grammar.rules)
        reading = recogniser.read(recogniser.begin(), text.encode())
        return reading is not None and reading.complete

    for call in (now, rain):
        assert takes(call, thinks=True)
        assert takes(thought + call, thinks=True)
        assert takes(call, thinks=False)
        assert not takes(thought + call, thinks=False)
        assert takes(thought + call, thinks=True, answer=ANY_OBJECT)
    assert takes(thought + answer, thinks=True, answer=ANY_OBJECT)
    assert not takes(answer, thinks=True)
    assert not takes(rain.replace('"C"', '"K"'), thinks=True)
    assert not takes(thought + thought + now, thinks=True)
