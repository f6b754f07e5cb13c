"""What docs/serve.md says of the whole server, sentence by sentence, where no other test does."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.profiles import load_profile
from qwq_gguf.serve.ask import Ask, asked_profile
from qwq_gguf.serve.writing.chat import ChatHead, ChatStream
from qwq_gguf.serve.writing.parts import Called
from support.http_client import ask, events, open_stream
from support.serving import Running, running

CHAT = "/v1/chat/completions"
QUESTION: dict[str, Any] = {"role": "user", "content": "What is 7*43?"}
GREEDY: dict[str, Any] = {"messages": [QUESTION], "temperature": 0, "seed": 1}
LONG = {"role": "user", "content": "What is 339433*359797?"}


def chat(server: Running, **body: Any) -> Any:
    told = ask(server.port, CHAT, GREEDY | body)
    assert told.status == 200, told.content
    return told.json


def test_what_is_counted(server: Running) -> None:
    chat(server)
    assert ask(server.port, CHAT, {}).status == 400
    lines = ask(server.port, "/metrics").content.decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    named = {name.removeprefix("qwq_gguf_").partition("{")[0] for name in values}
    counters = "requests prompt_tokens completion_tokens thinking_tokens replies thoughts"
    assert {f"{name}_total" for name in counters.split()} <= named
    assert {"slots", "slots_busy", "queue", "context_tokens", "model_loaded"} <= named
    assert f'qwq_gguf_requests_total{{path="{CHAT}",status="400"}}' in values
    thinking = int(values["qwq_gguf_thinking_tokens_total"])
    assert 0 < thinking < int(values["qwq_gguf_completion_tokens_total"])
    typed = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE")}
    assert typed["qwq_gguf_queue"] == "gauge"
    assert typed["qwq_gguf_thoughts_total"] == "counter"


def test_a_thought_that_is_dropped_costs_no_second_computing(server: Running) -> None:
    """The prompt is the same up to where the thought was, whether or not it is sent back."""
    asked = {"role": "user", "content": "What is 61+92?"}
    first = chat(server, messages=[asked])
    message = first["choices"][0]["message"]
    said = {"role": "assistant", "content": message["content"]}
    thought = {"reasoning_content": message["reasoning_content"]}
    follow = {"role": "user", "content": "And 7*43?"}
    for answer in (said, said | thought):
        usage = chat(server, messages=[asked, answer, follow])["usage"]
        # All but the opening of the thought, which is another text now.
        reused = usage["prompt_tokens_details"]["cached_tokens"]
        assert reused >= first["usage"]["prompt_tokens"] - 4


def test_penalties_act_where_the_profile_has_them() -> None:
    profile = load_profile("qwq")
    asked = asked_profile(profile, Ask(settings={"presence_penalty": 0.7, "temperature": 0.9}))
    assert asked.chain.order == profile.chain.order
    assert asked.chain.settings()["presence_penalty"] == 0.7


def test_a_variable_of_the_template_and_a_word_of_effort(server: Running) -> None:
    for body in (
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"enable_thinking": False},
        {"thinking": {"type": "disabled"}},
        {"reasoning": {"effort": "none"}},
    ):
        told = chat(server, **body)
        assert told["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0
    assert chat(server, reasoning_effort="low")["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    "body",
    [
        {name: 20}
        for name in (
            "thinking_budget",
            "thinking_budget_tokens",
            "reasoning_budget",
            "reasoning_budget_tokens",
            "thinking_token_budget",
        )
    ]
    + [
        {"thinking": {"type": "enabled", "budget_tokens": 20}},
        {"reasoning": {"max_tokens": 20}},
        {"chat_template_kwargs": {"thinking_budget": 20}},
    ],
    ids=str,
)
def test_a_budget_under_any_name_ends_the_thought(server: Running, body: dict[str, Any]) -> None:
    told = chat(server, messages=[LONG], max_tokens=120, **body)
    assert told["qwq_gguf"]["thought_ended"] == "budget"


def test_a_token_is_forbidden_by_a_bias(server: Running) -> None:
    told = chat(server, logprobs=True, max_tokens=60)
    first = told["choices"][0]["logprobs"]["reasoning_content"][0]["token"]
    (token,) = ask(server.port, "/tokenize", {"content": first}).json["tokens"]
    other = chat(server, logprobs=True, max_tokens=60, logit_bias={str(token): -100})
    assert other["choices"][0]["logprobs"]["reasoning_content"][0]["token"] != first


def test_tokens_of_a_text(server: Running) -> None:
    told = ask(server.port, "/tokenize", {"content": "<|im_start|>user"}).json
    assert told["count"] == len(told["tokens"]) > 3  # a control token written out stays text
    assert ask(server.port, "/tokenize", {"content": ""}).json == {"tokens": [], "count": 0}


def test_parallel_calls_are_numbered_in_a_stream() -> None:
    stream = ChatStream(ChatHead("chatcmpl-1", 1, "demo"))
    frames = b"".join(
        frame for name in ("a", "b") for frame in stream.part(0, Called(f"call_{name}", name, "{}"))
    )
    calls = [event["choices"][0]["delta"]["tool_calls"][0] for event in events(frames)]
    assert [call["index"] for call in calls] == [0, 0, 1, 1]
    assert [call.get("id") for call in calls] == ["call_a", None, "call_b", None]


def test_a_stop_lets_a_short_reply_end_whole(demo_file: Path) -> None:
    with running({"demo": demo_file}, grace=30) as server:
        sock, lines = open_stream(server.port, CHAT, GREEDY | {"stream": True})
        with sock:
            next(line for line in lines if b"reasoning" in line)
            server.server.stop()
            told = b"".join(lines)
    assert b'"finish_reason":"stop"' in told
    assert told.rstrip(b"\r\n0").endswith(b"data: [DONE]")


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_reads_the_events(server: Running) -> None:
    body = json.dumps(GREEDY | {"stream": True})
    done = subprocess.run(
        ["curl", "-sN", "--noproxy", "*", server.base + CHAT, "-d", body],
        capture_output=True,
        timeout=60,
        check=True,
    )
    chunks = events(done.stdout)
    answer = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert "301" in answer
    assert done.stdout.endswith(b"data: [DONE]\n\n")
