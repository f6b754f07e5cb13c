"""OpenAI's completions: a text gone on with as it is."""

from __future__ import annotations

from typing import Any

import pytest

from support.http_client import ask, events
from support.serving import Running

PATH = "/v1/completions"
# The turn of a user, and the model's begun, by the ids of the demo's control tokens.
START, END, THINK = 481, 482, 504


def complete(server: Running, **body: Any) -> Any:
    told = ask(server.port, PATH, {"temperature": 0, "max_tokens": 40} | body)
    assert told.status == 200, told.content
    return told.json


def tokens(server: Running, text: str) -> list[int]:
    found: list[int] = ask(server.port, "/tokenize", {"content": text}).json["tokens"]
    return found


def test_a_text_is_gone_on_with(server: Running) -> None:
    told = complete(server, prompt="43*7: 3*7+0=21, 4*7+2=")
    assert told["object"] == "text_completion"
    assert told["choices"][0]["text"].startswith("30")
    assert told["usage"]["completion_tokens"] <= 40


def test_tokens_may_be_control_tokens_and_a_text_may_not(server: Running) -> None:
    asked = [
        START, *tokens(server, "user\nWhat is 7*43?"), END, *tokens(server, "\n"),
        START, *tokens(server, "assistant\n"), THINK, *tokens(server, "\n"),
    ]  # fmt: skip
    told = complete(server, prompt=asked, max_tokens=200)
    text = told["choices"][0]["text"]
    assert "3*7" in text  # thought and answer are one text here
    assert "301" in text
    assert told["choices"][0]["finish_reason"] == "stop"
    assert told["usage"]["prompt_tokens"] == len(asked)
    written = complete(server, prompt="<|im_start|>user", max_tokens=1)
    assert written["usage"]["prompt_tokens"] > 5


def test_a_stream_says_the_same(server: Running) -> None:
    body = {"prompt": ["43*7: 3*7+0=21, 4*7+2="], "temperature": 0, "max_tokens": 30, "stop": "."}
    whole = complete(server, **body)["choices"][0]
    more = {"stream": True, "stream_options": {"include_usage": True}}
    told = ask(server.port, PATH, body | more)
    chunks = events(told.content)
    texts = [chunk["choices"][0]["text"] for chunk in chunks if chunk["choices"]]
    assert "".join(texts) == whole["text"]
    assert "." not in whole["text"]
    assert chunks[-1]["usage"]["prompt_tokens"] > 0
    assert told.content.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    "body, param",
    [
        ({}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, True]}, "prompt"),
        ({"prompt": [1.5]}, "prompt"),
        ({"prompt": "a", "echo": True}, "echo"),
        ({"prompt": "a", "suffix": "b"}, "suffix"),
        ({"prompt": "a", "best_of": 3}, "best_of"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": [10**9]}, "prompt"),
    ],
)
def test_what_is_wrong(server: Running, body: dict[str, Any], param: str) -> None:
    told = ask(server.port, PATH, body)
    assert told.status == 400
    assert told.json["error"]["param"] == param
