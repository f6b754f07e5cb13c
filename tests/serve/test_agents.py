"""Requests in the forms in which agents and front ends send them are answered."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.chat.messages import Message
from qwq_gguf.serve.ask import Ask
from qwq_gguf.serve.reading.anthropic import read_anthropic
from qwq_gguf.serve.reading.fields import read_body
from qwq_gguf.serve.reading.responses import read_response
from support.agent_requests import AGENTS, CLAUDE_CODE, CODEX
from support.http_client import ask, events
from support.serving import Running, running


@pytest.fixture(scope="module")
def small(demo_file: Path) -> Iterator[Running]:
    with running({"demo": demo_file}, context=1024) as server:
        yield server


@pytest.mark.parametrize("agent", AGENTS)
def test_it_is_answered(small: Running, agent: str) -> None:
    path, body = AGENTS[agent]
    # Agents send keys to whomever they ask, and node's fetch a header of browsers.
    headers = {
        "authorization": "Bearer sk-local",
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
        "anthropic-dangerous-direct-browser-access": "true",
        "sec-fetch-mode": "cors",
        "accept-language": "*",
    }
    told = ask(small.port, path, body, headers=headers)
    assert told.status == 200, told.content
    if not body["stream"]:
        assert told.json["choices"][0]["message"]["content"]
        return
    last = events(told.content)[-1]
    assert "error" not in json.dumps(last.get("error") or "")
    match path.partition("?")[0]:
        case "/v1/messages":
            assert last["type"] == "message_stop"
        case "/v1/responses":
            assert last["type"] in ("response.completed", "response.incomplete")
        case _:
            assert told.content.endswith(b"data: [DONE]\n\n")


def test_what_is_there_before_a_chat(small: Running) -> None:
    """A front end looks for models with a key of nobody's, an agent for the server itself."""
    told = ask(small.port, "/v1/models", headers={"authorization": "Bearer x"})
    assert told.json["data"][0]["id"] == "demo"
    assert ask(small.port, "/", method="HEAD").status == 200
    count = {name: CLAUDE_CODE[name] for name in ("model", "messages", "system", "tools")}
    assert ask(small.port, "/v1/messages/count_tokens?beta=true", count).json["input_tokens"] > 50


def read(body: dict[str, Any]) -> Ask:
    return read_anthropic(read_body(json.dumps(body).encode()))


def test_claude_code_says_the_same_with_every_request() -> None:
    """What it tells Anthropic in the system prompt changes, and would let nothing be reused."""
    body = copy.deepcopy(CLAUDE_CODE)
    first = read(body)
    body["system"][0]["text"] = "x-anthropic-billing-header: cc_version=2.1.0; cch=00000;"
    assert read(body).messages == first.messages
    assert first.messages[0] == Message("system", "You are an agent.\nBe brief.")
    assert [tool.name for tool in first.tools] == ["Bash"]


def test_codex_offers_more_than_functions() -> None:
    told = read_response(read_body(json.dumps(CODEX).encode()))
    assert [tool.name for tool in told.tools] == ["shell_command"]
    assert told.one_call
    # Templates take one turn of the system's, at the beginning.
    assert [turn.role for turn in told.messages] == ["system", "user", "assistant", "tool"]
    assert told.messages[0].content == "You are an agent.\n\n<permissions>all</permissions>"
    assert told.messages[2].thinking == "I look."
    assert told.messages[-1] == Message("tool", "a.txt", name="shell_command")
