"""How likely tokens were: the model's own numbers, in each protocol's form."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwq_gguf.chat.events import AnswerDelta, AnswerWasThought, ThinkingDelta, TokenOdds
from qwq_gguf.engine.odds import odds_of
from qwq_gguf.serve.writing.logprobs import chat_logprobs, text_logprobs
from qwq_gguf.serve.writing.parts import Parts, Whole
from support import llama_server as theirs
from support.http_client import ask, events
from support.serving import Running

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
BODY: dict[str, Any] = {
    "messages": [{"role": "user", "content": "What is 7*43?"}],
    "temperature": 0,
    "seed": 1,
    "logprobs": True,
    "top_logprobs": 3,
}
PROMPT = "43*7: 3*7+0=21, 4*7+2="


def post(server: Running, path: str, body: dict[str, Any]) -> Any:
    told = ask(server.port, path, body)
    assert told.status == 200, told.content
    return told.json


def spelled(entries: list[dict[str, Any]]) -> str:
    return b"".join(bytes(entry["bytes"]) for entry in entries).decode()


def test_they_are_the_softmax_of_all_logits() -> None:
    logits = np.array([1.0, 3.0, 2.0, 3.0, -np.inf], np.float32)
    total = math.log(sum(math.exp(each) for each in (1, 3, 2, 3)))
    odds = odds_of(logits, 2, 3)
    assert odds.logprob == pytest.approx(2 - total)
    assert [token for token, _ in odds.best] == [1, 3, 2]  # equals in their order
    assert odds.best[0][1] == pytest.approx(3 - total)
    assert odds_of(logits, 4, 0) == (-math.inf, ())
    assert len(odds_of(logits, 0, 20).best) == 5


def test_a_chat_is_told_token_by_token(server: Running) -> None:
    (choice,) = post(server, CHAT, BODY)["choices"]
    told, message = choice["logprobs"], choice["message"]
    assert spelled(told["content"]).strip() == message["content"]
    assert spelled(told["reasoning_content"]).strip() == message["reasoning_content"]
    for entry in told["content"] + told["reasoning_content"]:
        best = entry["top_logprobs"]
        assert entry["logprob"] <= 0
        assert len(best) == 3
        assert best == sorted(best, key=lambda each: -each["logprob"])
        assert sum(math.exp(each["logprob"]) for each in best) <= 1.0001
    greedy = [entry["token"] == entry["top_logprobs"][0]["token"] for entry in told["content"]]
    assert all(greedy)


def test_a_stream_says_the_same_numbers(server: Running) -> None:
    (choice,) = post(server, CHAT, BODY)["choices"]
    chunks = events(ask(server.port, CHAT, BODY | {"stream": True}).content)
    for name in ("content", "reasoning_content"):
        streamed: list[dict[str, Any]] = []
        for chunk in chunks:
            (each,) = chunk["choices"]
            found = (each["logprobs"] or {}).get(name, [])
            if found:
                assert each["delta"][name]  # told with the text that it is about
            streamed += found
        whole = choice["logprobs"][name]
        assert [each["token"] for each in streamed] == [each["token"] for each in whole]
        for one, other in zip(streamed, whole, strict=True):
            # A prompt in the cache is rounded otherwise than one that is computed.
            assert one["logprob"] == pytest.approx(other["logprob"], abs=0.05)


def test_nothing_is_told_unasked(server: Running) -> None:
    body = {name: value for name, value in BODY.items() if "logprobs" not in name}
    (choice,) = post(server, CHAT, body)["choices"]
    assert choice["logprobs"] is None
    (choice,) = post(server, TEXT, {"prompt": PROMPT, "max_tokens": 4})["choices"]
    assert choice["logprobs"] is None


def test_each_choice_has_its_own(server: Running) -> None:
    body = BODY | {"n": 2, "temperature": 1.0, "max_tokens": 40, "top_logprobs": 0}
    for choice in post(server, CHAT, body)["choices"]:
        told, message = choice["logprobs"], choice["message"]
        assert spelled(told["reasoning_content"]).strip() == message["reasoning_content"]
        assert all(entry["top_logprobs"] == [] for entry in told["reasoning_content"])


def test_completions_have_a_form_of_their_own(server: Running) -> None:
    body = {"prompt": PROMPT, "temperature": 0, "max_tokens": 12, "logprobs": 2}
    (choice,) = post(server, TEXT, body)["choices"]
    told = choice["logprobs"]
    assert "".join(told["tokens"]) == choice["text"]
    assert told["text_offset"][0] == 0
    for token, at in zip(told["tokens"], told["text_offset"], strict=True):
        assert choice["text"][at:].startswith(token)
    assert all(len(best) == 2 for best in told["top_logprobs"])
    streamed = [
        chunk["choices"][0]["logprobs"]
        for chunk in events(ask(server.port, TEXT, body | {"stream": True}).content)
    ]
    tokens = [token for each in streamed if each for token in each["tokens"]]
    offsets = [at for each in streamed if each for at in each["text_offset"]]
    assert (tokens, offsets) == (told["tokens"], told["text_offset"])


def test_responses_have_them_on_their_text(server: Running) -> None:
    body = {
        "input": "What is 7*43?",
        "temperature": 0,
        "include": ["message.output_text.logprobs"],
        "top_logprobs": 2,
    }
    told = post(server, "/v1/responses", body)
    (text,) = next(each for each in told["output"] if each["type"] == "message")["content"]
    assert spelled(text["logprobs"]).strip() == text["text"]
    done = [
        event
        for event in events(ask(server.port, "/v1/responses", body | {"stream": True}).content)
        if event["type"] == "response.output_text.done"
    ]
    assert spelled(done[0]["logprobs"]).strip() == text["text"]


@pytest.mark.parametrize(
    "path, body, param",
    [
        (CHAT, BODY | {"logprobs": "yes"}, "logprobs"),
        (CHAT, BODY | {"logprobs": 3}, "logprobs"),
        (CHAT, BODY | {"logprobs": False}, "top_logprobs"),
        (CHAT, BODY | {"top_logprobs": 21}, "top_logprobs"),
        (CHAT, BODY | {"top_logprobs": -1}, "top_logprobs"),
        (TEXT, {"prompt": "a", "logprobs": 21}, "logprobs"),
        (TEXT, {"prompt": "a", "logprobs": 1.5}, "logprobs"),
    ],
)
def test_what_is_wrong(server: Running, path: str, body: dict[str, Any], param: str) -> None:
    told = ask(server.port, path, body)
    assert (told.status, told.json["error"]["param"]) == (400, param)


def odds(piece: bytes, *, thought: bool = False) -> TokenOdds:
    return TokenOdds(piece, -0.5, (), thought)


def whole_of(*given: Any) -> Whole:
    parts, whole = Parts(str), Whole()
    for event in given:
        for part in parts.feed(event):
            whole.add(part)
    return whole


def test_text_that_is_held_back_keeps_its_tokens() -> None:
    smile = "\N{SLIGHTLY SMILING FACE}".encode()
    whole = whole_of(
        odds(b"\n\n"),
        AnswerDelta("\n\n"),
        odds(b"a"),
        odds(b" b"),
        AnswerDelta("a "),
        AnswerDelta("b"),
        odds(smile[:2]),
        odds(smile[2:]),
        AnswerDelta(smile.decode()),
        odds(b"<to"),
    )
    pieces = [each.piece for each in whole.answer_odds]
    assert pieces == [b"a", b" b", smile[:2], smile[2:]]
    told = chat_logprobs(whole.answer_odds)
    assert told is not None
    assert told["content"][2]["token"] == "\\xf0\\x9f"
    assert told["content"][2]["bytes"] == list(smile[:2])
    texts = text_logprobs(whole.answer_odds, 7)
    assert texts is not None
    assert texts["tokens"][2:] == ["bytes:\\xf0\\x9f", "bytes:\\x99\\x82"]
    assert texts["text_offset"] == [7, 8, 10, 10]


def test_an_answer_that_was_the_thought_takes_its_tokens_along() -> None:
    whole = whole_of(
        odds(b"hm"),
        AnswerDelta("hm", sure=False),
        AnswerWasThought(),
        odds(b"so", thought=True),
        ThinkingDelta("so"),
        odds(b"4"),
        AnswerDelta("4"),
    )
    assert [each.piece for each in whole.thinking_odds] == [b"hm", b"so"]
    assert [each.piece for each in whole.answer_odds] == [b"4"]


def test_an_impossible_token_has_a_number_too() -> None:
    told = chat_logprobs([TokenOdds(b"x", -math.inf, ((b"y", -math.inf),), False)])
    assert told is not None
    assert told["content"][0]["logprob"] == -9999.0


@theirs.needs_llama_server
def test_llama_server_says_the_same(server: Running, demo_file: Path) -> None:
    tokens = ask(server.port, "/tokenize", {"content": PROMPT}).json["tokens"]
    asked = {"prompt": tokens, "max_tokens": 12, "logprobs": 5, "seed": 1, "temperature": 1.5}
    # Whatever a chain does, told is what the model thought.
    chain = {"top_k": 3, "presence_penalty": 1.0}
    ours = post(server, TEXT, asked | chain)["choices"][0]["logprobs"]
    with theirs.llama_server(demo_file, 512) as address:
        for count in range(1, 4):
            # Each is asked for the token behind the same text, as texts drawn differ.
            prompt = tokens + _ids(server, ours["tokens"][:count])
            body = asked | {"prompt": prompt, "max_tokens": 1, "n_probs": 5}
            told = theirs.ask(address, TEXT, body)
            (entry,) = told["choices"][0]["logprobs"]["content"]
            best = {each["token"]: each["logprob"] for each in entry["top_logprobs"]}
            for token, logprob in ours["top_logprobs"][count].items():
                if logprob > -8:
                    assert best[token] == pytest.approx(logprob, abs=0.1)


def _ids(server: Running, tokens: list[str]) -> list[int]:
    found = []
    for token in tokens:
        (one,) = ask(server.port, "/tokenize", {"content": token}).json["tokens"]
        found.append(one)
    return found
