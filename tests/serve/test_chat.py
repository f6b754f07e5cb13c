"""Chat completions of a real server with the demo model."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from support.http_client import ask, events, open_stream
from support.serving import Running, running

CHAT = "/v1/chat/completions"
QUESTION: list[dict[str, Any]] = [{"role": "user", "content": "What is 7*43?"}]
LONG: list[dict[str, Any]] = [{"role": "user", "content": "What is 339433*359797?"}]
GREEDY: dict[str, Any] = {"messages": QUESTION, "temperature": 0, "seed": 1}
ENDLESS: dict[str, Any] = {
    # Neither thought nor answer ends, or goes in circles, for the seconds of a test.
    "messages": QUESTION,
    "stream": True,
    "temperature": 5,
    "logit_bias": dict.fromkeys(map(str, range(480, 506)), -100),
    "thinking_budget": -1,
}
CALCULATOR = {
    "type": "function",
    "function": {
        "name": "calculator",
        "description": "Work out an expression.",
        "parameters": {
            "type": "object",
            "properties": {"expression": {"type": "string"}},
            "required": ["expression"],
        },
    },
}


def chat(server: Running, **body: Any) -> Any:
    answer = ask(server.port, CHAT, body)
    assert answer.status == 200, answer.content
    return answer.json


def wait_until(true: Any, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_the_thought_comes_apart_from_the_answer(server: Running) -> None:
    told = chat(server, **GREEDY)
    message = told["choices"][0]["message"]
    assert told["object"] == "chat.completion"
    assert told["choices"][0]["finish_reason"] == "stop"
    assert "301" in message["content"]
    assert message["reasoning_content"] == message["reasoning"] != ""
    assert "<think>" not in message["content"] + message["reasoning_content"]
    usage = told["usage"]
    assert 0 < usage["completion_tokens_details"]["reasoning_tokens"] < usage["completion_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert told["qwq_gguf"] | {"tokens_per_second": 0} == {
        "finish_reason": "stop",
        "thought_ended": "closed",
        "seed": 1,
        "tokens_per_second": 0,
    }


def test_a_stream_says_the_same_as_the_whole(server: Running) -> None:
    whole = chat(server, **GREEDY)
    answer = ask(
        server.port, CHAT, GREEDY | {"stream": True, "stream_options": {"include_usage": True}}
    )
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.content.endswith(b"data: [DONE]\n\n")
    chunks = events(answer.content)
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    assert deltas[0]["role"] == "assistant"
    message = whole["choices"][0]["message"]
    for name in ("content", "reasoning_content", "reasoning"):
        assert "".join(delta.get(name, "") for delta in deltas) == message[name]
    assert chunks[-1]["choices"] == []
    reused = chunks[-1]["usage"]["prompt_tokens_details"]["cached_tokens"]
    assert reused == chunks[-1]["usage"]["prompt_tokens"] - 1  # the same prompt was here before
    assert chunks[-1]["usage"]["completion_tokens_details"] == {
        "reasoning_tokens": whole["usage"]["completion_tokens_details"]["reasoning_tokens"]
    }
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"


def test_no_thought(server: Running) -> None:
    for body in ({"reasoning_effort": "none"}, {"thinking_budget": 0}):
        told = chat(server, **GREEDY, **body)
        assert "reasoning_content" not in told["choices"][0]["message"]
        assert told["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0
        assert told["choices"][0]["message"]["content"]


def test_a_budget_closes_the_thought_and_an_answer_follows(server: Running) -> None:
    told = chat(server, **GREEDY | {"messages": LONG}, thinking_budget_tokens=20)
    assert told["qwq_gguf"]["thought_ended"] == "budget"
    assert told["choices"][0]["message"]["content"]
    told = chat(
        server,
        **GREEDY | {"messages": LONG},
        thinking_budget=20,
        reasoning_budget_message="And so, at once:",
    )
    assert told["choices"][0]["message"]["reasoning_content"].endswith("And so, at once:")


def test_choices(server: Running) -> None:
    told = chat(server, messages=QUESTION, n=3, seed=5)
    texts = [choice["message"]["reasoning_content"] for choice in told["choices"]]
    assert [choice["index"] for choice in told["choices"]] == [0, 1, 2]
    alone = chat(server, messages=QUESTION, seed=6)
    assert len(texts) == 3
    assert alone["choices"][0]["message"]["content"] == told["choices"][1]["message"]["content"]
    streamed = events(
        ask(server.port, CHAT, {"messages": QUESTION, "n": 2, "seed": 5, "stream": True}).content
    )
    ended = [c["choices"][0] for c in streamed if c["choices"][0]["finish_reason"]]
    assert sorted(choice["index"] for choice in ended) == [0, 1]


def test_a_limit_ends_it(server: Running) -> None:
    told = chat(server, **GREEDY, max_tokens=30)
    assert told["choices"][0]["finish_reason"] == "length"
    assert told["usage"]["completion_tokens"] <= 30


def test_a_stop_ends_the_answer_and_no_thought(server: Running) -> None:
    whole = chat(server, **GREEDY)["choices"][0]["message"]
    assert "=" in whole["content"]
    assert "=" in whole["reasoning_content"]
    told = chat(server, **GREEDY, stop="=")["choices"][0]
    assert told["message"]["reasoning_content"] == whole["reasoning_content"]
    assert told["message"]["content"] == whole["content"].partition("=")[0].strip()
    assert told["finish_reason"] == "stop"


def test_tools_and_their_results(server: Running) -> None:
    asked = [{"role": "user", "content": "What is 3394*35979?"}]
    told = chat(server, messages=asked, tools=[CALCULATOR], temperature=0)
    choice = told["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    (call,) = choice["message"]["tool_calls"]
    assert call["type"] == "function"
    assert json.loads(call["function"]["arguments"]) == {"expression": "3394*35979"}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "122112726"}
    told = chat(
        server,
        messages=[*asked, choice["message"], result],
        tools=[CALCULATOR],
        temperature=0,
    )
    assert "122112726" in told["choices"][0]["message"]["content"]


def test_calls_are_streamed_as_openai_streams_them(server: Running) -> None:
    body = {
        "messages": [{"role": "user", "content": "What is 3394*35979?"}],
        "tools": [CALCULATOR],
        "temperature": 0,
        "stream": True,
    }
    chunks = events(ask(server.port, CHAT, body).content)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert calls[0]["function"] == {"name": "calculator", "arguments": ""}
    assert calls[0]["id"].startswith("call_")
    arguments = "".join(call["function"]["arguments"] for call in calls)
    assert json.loads(arguments) == {"expression": "3394*35979"}
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_an_answer_in_a_schema_after_a_free_thought(server: Running) -> None:
    schema = {
        "type": "object",
        "properties": {"result": {"type": "integer"}, "sure": {"type": "boolean"}},
        "required": ["result", "sure"],
    }
    form = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
    message = chat(server, **GREEDY, response_format=form)["choices"][0]["message"]
    answer = json.loads(message["content"])
    assert isinstance(answer["result"], int)
    assert isinstance(answer["sure"], bool)
    assert "3*7" in message["reasoning_content"]
    message = chat(server, **GREEDY, max_tokens=400, response_format={"type": "json_object"})[
        "choices"
    ][0]["message"]
    assert message["content"].startswith("{")


def test_answer_now(server: Running) -> None:
    sock, lines = open_stream(server.port, CHAT, ENDLESS)
    with sock:
        first = next(line for line in lines if line.startswith(b"data: "))
        name = json.loads(first[6:])["id"]
        told = ask(server.port, CHAT + "/control", {"id": name, "action": "reasoning_end"})
        assert (told.status, told.json["success"]) == (200, True)
        for line in lines:
            if b'"content"' in line and b'"reasoning"' not in line:
                break
        else:
            pytest.fail("no answer came")
    again = {"id": "chatcmpl-unknown", "action": "reasoning_end"}
    assert ask(server.port, CHAT + "/control", again).status == 404
    assert ask(server.port, CHAT + "/control", {"id": name, "action": "x"}).status == 400


def test_a_client_that_goes_away_frees_its_place(server: Running) -> None:
    sock, lines = open_stream(server.port, CHAT, ENDLESS)
    next(line for line in lines if b"reasoning" in line)
    assert server.service.gauges()["slots_busy"] == 1
    sock.close()
    lines.close()  # type: ignore[attr-defined]
    wait_until(lambda: server.service.gauges()["slots_busy"] == 0, 2)
    wait_until(lambda: server.service.gauges()["queue"] == 0, 2)


def test_it_frees_it_where_nothing_is_streamed_too(server: Running) -> None:
    sock, _ = open_stream(server.port, CHAT, ENDLESS | {"stream": False})
    wait_until(lambda: server.service.gauges()["slots_busy"] == 1)
    sock.close()
    _.close()  # type: ignore[attr-defined]
    wait_until(lambda: server.service.gauges()["slots_busy"] == 0, 2)


def test_many_at_once_get_what_one_gets_alone(server: Running) -> None:
    alone = chat(server, **GREEDY)["choices"][0]["message"]["content"]
    with ThreadPoolExecutor(12) as pool:
        told = list(pool.map(lambda _: chat(server, **GREEDY), range(12)))
    assert {each["choices"][0]["message"]["content"] for each in told} == {alone}


def test_a_full_queue_is_told_at_once(demo_file: Path) -> None:
    with running({"demo": demo_file}, sequences=1, waiting=1) as server:
        open_ones = [open_stream(server.port, CHAT, ENDLESS) for _ in range(2)]
        wait_until(lambda: server.service.gauges()["queue"] == 1)
        told = ask(server.port, CHAT, GREEDY)
        assert told.status == 429
        assert int(told.headers["retry-after"]) >= 1
        assert told.json["error"]["type"] == "rate_limit_error"
        for sock, lines in open_ones:
            sock.close()
            lines.close()  # type: ignore[attr-defined]
        wait_until(lambda: server.service.gauges()["queue"] == 0)
        assert ask(server.port, CHAT, GREEDY).status == 200


def test_a_stop_lets_what_runs_end_in_words(demo_file: Path) -> None:
    with running({"demo": demo_file}, grace=0.3) as server:
        sock, lines = open_stream(server.port, CHAT, ENDLESS)
        with sock:
            next(line for line in lines if b"reasoning" in line)
            server.server.stop()
            told = b"".join(lines)
    assert b'"finish_reason":"length"' in told
    assert b'"finish_reason":"interrupted"' in told
    assert told.rstrip(b"\r\n0").endswith(b"data: [DONE]")


def test_what_else_there_is(server: Running) -> None:
    assert ask(server.port, "/health").json == {"status": "ok"}
    (model,) = ask(server.port, "/v1/models").json["data"]
    assert model["id"] == "demo"
    assert ask(server.port, "/v1/models/demo").json == model
    assert ask(server.port, "/v1/models/other").status == 404
    settings = ask(server.port, "/settings").json
    assert settings["profile"] == "qwq"
    assert settings["thinks"] is True
    assert settings["settings"]["temperature"] == 0.6
    assert settings["context"] == 4096
    assert ask(server.port, "/tokenize", {"content": "7*43"}).json["count"] == 4
    ask(server.port, CHAT, {"messages": [{"role": "user", "content": "What is 2+3?"}]})
    metrics = ask(server.port, "/metrics").content.decode()
    assert "qwq_gguf_slots 4\n" in metrics
    assert 'qwq_gguf_thoughts_total{ended="closed"}' in metrics


def test_a_prompt_that_does_not_fit(server: Running) -> None:
    told = ask(server.port, CHAT, {"messages": [{"role": "user", "content": "7*43 " * 9000}]})
    assert told.status == 400
    assert told.json["error"]["code"] == "context_length_exceeded"


def test_health_says_that_a_worker_is_lost(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    resident = server.service.shelf.current
    assert resident is not None
    monkeypatch.setattr(resident.model, "lines", SimpleNamespace(lost=True))
    told = ask(server.port, "/health")
    assert (told.status, told.json) == (503, {"status": "worker lost"})
