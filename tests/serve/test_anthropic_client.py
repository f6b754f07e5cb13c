"""The real client of Anthropic's protocol, by its base URL alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.own_loop import in_own_loop
from support.serving import Running

anthropic = pytest.importorskip("anthropic", reason="needs the client of Anthropic's protocol")

QUESTION = [{"role": "user", "content": "What is 7*43?"}]
CALCULATE = [{"role": "user", "content": "What is 3394*35979?"}]
TOOL = {
    "name": "calculator",
    "description": "Work out an expression.",
    "input_schema": {
        "type": "object",
        "properties": {"expression": {"type": "string"}},
        "required": ["expression"],
    },
}


@pytest.fixture
def client(server: Running) -> Iterator[Any]:
    with anthropic.Anthropic(base_url=server.base, api_key="none", max_retries=0) as client:
        yield client


def create(client: Any, **more: Any) -> Any:
    extra = {"temperature": 0} | more.pop("extra", {})
    body = {"model": "demo", "max_tokens": 2000, "messages": QUESTION} | more
    return client.messages.create(**body, extra_body=extra)


def test_blocks_of_thought_and_text(client: Any) -> None:
    told = create(client)
    assert [block.type for block in told.content] == ["thinking", "text"]
    assert "3*7" in told.content[0].thinking
    assert "301" in told.content[1].text
    assert told.stop_reason == "end_turn"
    assert told.usage.output_tokens > 10
    again = create(client)
    assert again.usage.cache_read_input_tokens > 0


def test_thoughts_bounded_and_off(client: Any) -> None:
    told = create(client, thinking={"type": "disabled"})
    assert [block.type for block in told.content] == ["text"]
    # Their own least budget is 1,024, ours is nothing.
    told = create(client, extra={"thinking": {"type": "enabled", "budget_tokens": 20}})
    assert told.model_extra["qwq_gguf"]["thought_ended"] == "budget"


def test_a_stream(client: Any) -> None:
    with client.messages.stream(
        model="demo", max_tokens=2000, messages=QUESTION, extra_body={"temperature": 0}
    ) as stream:
        kinds = [event.type for event in stream]
        told = stream.get_final_message()
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    whole = create(client)
    assert [block.type for block in told.content] == ["thinking", "text"]
    assert told.content[0].thinking == whole.content[0].thinking
    assert told.content[0].signature
    assert told.content[1].text == whole.content[1].text
    assert told.stop_reason == "end_turn"
    assert told.usage.output_tokens == whole.usage.output_tokens


def test_tools_and_their_results(client: Any) -> None:
    told = create(client, messages=CALCULATE, tools=[TOOL], system="You have tools.")
    assert told.stop_reason == "tool_use"
    call = told.content[-1]
    assert (call.type, call.input) == ("tool_use", {"expression": "3394*35979"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "122112726"}
    turns = [
        *CALCULATE,
        {"role": "assistant", "content": told.content},
        {"role": "user", "content": [result]},
    ]
    told = create(client, messages=turns, tools=[TOOL])
    assert "122112726" in told.content[-1].text
    with client.messages.stream(
        model="demo",
        max_tokens=2000,
        messages=CALCULATE,
        tools=[TOOL],
        extra_body={"temperature": 0},
    ) as stream:
        assert stream.get_final_message().content[-1].input == {"expression": "3394*35979"}


def test_a_limit_and_a_count(client: Any) -> None:
    told = create(client, max_tokens=20)
    assert told.stop_reason == "max_tokens"
    count = client.messages.count_tokens(model="demo", messages=QUESTION)
    assert count.input_tokens == told.usage.input_tokens + told.usage.cache_read_input_tokens
    with_tool = client.messages.count_tokens(model="demo", messages=QUESTION, tools=[TOOL])
    assert with_tool.input_tokens > count.input_tokens


def test_an_answer_in_a_schema(client: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"result": {"type": "integer"}},
        "required": ["result"],
    }
    form = {"format": {"type": "json_schema", "schema": schema}}
    told = create(client, extra={"output_config": form})
    assert isinstance(json.loads(told.content[-1].text)["result"], int)


def test_errors_are_its_own(client: Any, server: Running) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        create(client, extra={"temperature": -1})
    assert caught.value.body["type"] == "error"
    assert caught.value.body["error"]["type"] == "invalid_request_error"
    image = {"type": "image", "source": {"type": "url", "url": "http://127.0.0.1:1/a.png"}}
    with pytest.raises(anthropic.BadRequestError, match="text only"):
        create(client, messages=[{"role": "user", "content": [image]}])
    with pytest.raises(anthropic.BadRequestError, match="no tool is called"):
        create(client, tools=[TOOL], tool_choice={"type": "tool", "name": "other"})


def test_a_call_that_has_to_come(client: Any) -> None:
    told = create(client, tools=[TOOL], tool_choice={"type": "tool", "name": "calculator"})
    assert told.stop_reason == "tool_use"
    assert told.content[-1].input.keys() == {"expression"}


def test_asynchronously(server: Running) -> None:
    async def run() -> list[Any]:
        async with anthropic.AsyncAnthropic(base_url=server.base, api_key="none") as client:
            return await asyncio.gather(
                *(
                    client.messages.create(
                        model="demo",
                        max_tokens=500,
                        messages=QUESTION,
                        extra_body={"temperature": 0},
                    )
                    for _ in range(4)
                )
            )

    assert len({told.content[-1].text for told in in_own_loop(run())}) == 1
