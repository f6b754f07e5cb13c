"""The requests of LangChain's and LiteLLM's adapters, as they were recorded, and what they need."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.adapter_requests import ADAPTERS
from support.http_client import ask, events
from support.serving import Running


@pytest.mark.parametrize("name", ADAPTERS)
def test_it_is_answered_as_asked(server: Running, name: str) -> None:
    path, body, wanted = ADAPTERS[name]
    told = ask(server.port, path, body)
    assert told.status == 200, told.content
    text, calls = _read(events(told.content) if body.get("stream") else [told.json])
    match wanted:
        case "text":
            assert text.strip()
            assert not calls
        case "call":
            assert len(calls) == 1
            assert isinstance(calls[0], dict)
        case _:
            assert isinstance(json.loads(text)["result"], int)


def _read(told: list[Any]) -> tuple[str, list[Any]]:
    """The answer and the arguments of the calls, whatever protocol it is told in."""
    text, calls = "", []
    for each in told:
        for choice in each.get("choices", ()):
            part = choice.get("message") or choice["delta"]
            text += part.get("content") or ""
            calls += [json.loads(c["function"]["arguments"]) for c in part.get("tool_calls") or ()]
        for item in (*each.get("output", ()), *each.get("content", ())):
            text += item.get("text") or ""
            calls += [item["input"]] if item["type"] == "tool_use" else []
            for part in item.get("content") or () if item["type"] == "message" else ():
                text += part["text"]
        if each.get("type") == "content_block_delta":
            text += each["delta"].get("text", "")
    return text, calls
