"""The real client of OpenAI's protocol, by its base URL alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.own_loop import in_own_loop
from support.serving import Running

openai = pytest.importorskip("openai", reason="needs the client of OpenAI's protocol")

QUESTION = [{"role": "user", "content": "What is 7*43?"}]
CALCULATE = [{"role": "user", "content": "What is 3394*35979?"}]
PARAMETERS = {
    "type": "object",
    "properties": {"expression": {"type": "string"}},
    "required": ["expression"],
}
FUNCTION = {
    "name": "calculator",
    "description": "Work out an expression.",
    "parameters": PARAMETERS,
}
SCHEMA = {
    "type": "object",
    "properties": {"result": {"type": "integer"}},
    "required": ["result"],
    "additionalProperties": False,
}


@pytest.fixture
def client(server: Running) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{server.base}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_what_it_says(client: Any) -> None:
    told = client.chat.completions.create(model="demo", messages=QUESTION, temperature=0)
    message = told.choices[0].message
    assert "301" in message.content
    assert message.reasoning_content
    assert told.usage.completion_tokens_details.reasoning_tokens > 0
    assert [model.id for model in client.models.list()] == ["demo"]
    assert client.models.retrieve("demo").id == "demo"


def test_the_stream_of_the_announcement(client: Any) -> None:
    stream = client.chat.completions.create(
        model="demo",
        messages=QUESTION,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    reasoning, answer, usage = "", "", None
    for chunk in stream:
        if not chunk.choices:
            usage = chunk.usage
            continue
        delta = chunk.choices[0].delta
        if getattr(delta, "reasoning_content", None) is not None:
            assert not answer
            reasoning += delta.reasoning_content
        else:
            answer += delta.content or ""
    assert "3*7" in reasoning
    assert "301" in answer
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_several_at_once(server: Running) -> None:
    async def run() -> list[Any]:
        async with openai.AsyncOpenAI(base_url=f"{server.base}/v1", api_key="none") as client:
            return await asyncio.gather(
                *(
                    client.chat.completions.create(model="demo", messages=QUESTION, temperature=0)
                    for _ in range(6)
                )
            )

    told = in_own_loop(run())
    assert len({each.choices[0].message.content for each in told}) == 1


def test_tools(client: Any) -> None:
    tools = [{"type": "function", "function": FUNCTION}]
    told = client.chat.completions.create(
        model="demo", messages=CALCULATE, tools=tools, temperature=0
    )
    message = told.choices[0].message
    assert told.choices[0].finish_reason == "tool_calls"
    call = message.tool_calls[0]
    assert json.loads(call.function.arguments) == {"expression": "3394*35979"}
    result = {"role": "tool", "tool_call_id": call.id, "content": "122112726"}
    told = client.chat.completions.create(
        model="demo",
        messages=[*CALCULATE, message, result],
        tools=tools,
        temperature=0,
    )
    assert "122112726" in told.choices[0].message.content


def test_tools_in_its_own_stream(client: Any) -> None:
    tools = [{"type": "function", "function": FUNCTION}]
    with client.chat.completions.stream(
        model="demo", messages=CALCULATE, tools=tools, temperature=0
    ) as stream:
        for _ in stream:
            pass
        told = stream.get_final_completion()
    call = told.choices[0].message.tool_calls[0]
    assert json.loads(call.function.arguments) == {"expression": "3394*35979"}


def test_an_answer_in_a_schema(client: Any) -> None:
    pydantic = pytest.importorskip("pydantic", reason="comes with the client")
    shape = pydantic.create_model("Result", result=(int, ...))
    told = client.chat.completions.parse(
        model="demo", messages=QUESTION, temperature=0, response_format=shape
    )
    assert isinstance(told.choices[0].message.parsed.result, int)


def test_a_call_that_has_to_come(client: Any) -> None:
    told = client.chat.completions.create(
        model="demo",
        messages=QUESTION,
        tools=[{"type": "function", "function": FUNCTION}],
        tool_choice="required",
        temperature=0,
    )
    (call, *_) = told.choices[0].message.tool_calls
    assert call.function.name == FUNCTION["name"]
    assert told.choices[0].finish_reason == "tool_calls"


def test_probabilities_of_tokens(client: Any) -> None:
    told = client.chat.completions.create(
        model="demo", messages=QUESTION, logprobs=True, top_logprobs=2, temperature=0
    )
    content = told.choices[0].logprobs.content
    assert "".join(each.token for each in content).strip() == told.choices[0].message.content
    assert all(len(each.top_logprobs) == 2 for each in content)


def test_errors_are_its_own(client: Any, server: Running) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="demo", messages=QUESTION, temperature=-1)
    assert "temperature" in caught.value.message
    assert caught.value.type == "invalid_request_error"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("other")


def test_a_response(client: Any) -> None:
    told = client.responses.create(
        model="demo", input="What is 7*43?", instructions="Be right.", temperature=0
    )
    assert told.status == "completed"
    assert [item.type for item in told.output] == ["reasoning", "message"]
    assert told.output[0].content[0].text
    assert told.output_text
    assert told.usage.output_tokens_details.reasoning_tokens > 0
    cut = client.responses.create(model="demo", input="What is 7*43?", max_output_tokens=5)
    assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    with pytest.raises(openai.BadRequestError, match="keeps nothing"):
        client.responses.create(model="demo", input="x", previous_response_id="resp_1")


def test_a_response_as_it_comes(client: Any) -> None:
    with client.responses.stream(model="demo", input="What is 7*43?", temperature=0) as stream:
        events = list(stream)
        told = stream.get_final_response()
    kinds = [event.type for event in events]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert kinds.index("response.reasoning_text.done") < kinds.index("response.output_text.delta")
    assert [event.sequence_number for event in events] == sorted(
        event.sequence_number for event in events
    )
    said = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert said == told.output_text != ""


def test_a_response_with_tools(client: Any) -> None:
    tools = [{"type": "function", **FUNCTION}]
    asked: list[Any] = [*CALCULATE]
    told = client.responses.create(model="demo", input=asked, tools=tools, temperature=0)
    call = told.output[-1]
    assert (call.type, call.name) == ("function_call", "calculator")
    asked += [item.model_dump() for item in told.output]
    asked.append({"type": "function_call_output", "call_id": call.call_id, "output": "122112726"})
    told = client.responses.create(model="demo", input=asked, tools=tools, temperature=0)
    assert "122112726" in told.output_text
    with client.responses.stream(
        model="demo", input=CALCULATE, tools=tools, temperature=0
    ) as stream:
        kinds = [event.type for event in stream]
    assert "response.function_call_arguments.done" in kinds


def test_a_response_in_a_schema(client: Any) -> None:
    form = {"type": "json_schema", "name": "it", "schema": SCHEMA, "strict": True}
    told = client.responses.create(
        model="demo", input="What is 7*43?", temperature=0, text={"format": form}
    )
    assert isinstance(json.loads(told.output_text)["result"], int)
