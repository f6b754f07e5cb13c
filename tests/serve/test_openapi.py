"""The server's own description: made of its readers, and held against it by schemathesis."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.serve.description import describe, samples
from qwq_gguf.serve.description.noting import schema_of
from qwq_gguf.serve.limits import LIMITS
from qwq_gguf.serve.reading.fields import Fields
from support.described import OPERATIONS, operation_test
from support.http_client import ask
from support.serving import Running, running

needs_schemathesis = pytest.mark.skipif(
    importlib.util.find_spec("schemathesis") is None, reason="needs schemathesis"
)


@pytest.fixture(scope="module")
def small(demo_file: Path) -> Iterator[Running]:
    """A context in which no reply can be long."""
    with running({"demo": demo_file}, context=256) as server:
        yield server


def body_schema(path: str) -> dict[str, Any]:
    post = describe("1")["paths"][path]["post"]
    schema: dict[str, Any] = post["requestBody"]["content"]["application/json"]["schema"]
    return schema


def test_it_is_served_with_every_route(server: Running) -> None:
    document = ask(server.port, "/openapi.json").json
    assert document["openapi"] == "3.1.0"
    described = {(verb.upper(), path) for path, item in document["paths"].items() for verb in item}
    assert described == set(OPERATIONS)
    for verb, path in OPERATIONS:
        told = ask(server.port, path.replace("{name}", "demo"), {} if verb == "POST" else None)
        assert told.status in (200, 400), path


def test_it_is_what_the_readers_ask_for() -> None:
    chat = body_schema("/v1/chat/completions")
    assert chat["required"] == ["messages"]
    fields = chat["properties"]
    budgets = "thinking_budget thinking_budget_tokens reasoning_budget reasoning_budget_tokens"
    assert {*budgets.split(), "thinking_token_budget", "reasoning_budget_message"} <= fields.keys()
    assert fields["n"]["anyOf"][0] == {"type": "integer", "minimum": 1, "maximum": LIMITS.choices}
    assert fields["messages"]["maxItems"] == LIMITS.messages
    assert fields["stop"]["anyOf"][1]["maxItems"] == LIMITS.stops
    assert "patternProperties" in fields["logit_bias"]["anyOf"][0]
    assert fields["stream_options"]["anyOf"][0]["properties"].keys() == {"include_usage"}
    assert body_schema("/v1/completions")["required"] == ["prompt"]
    assert body_schema("/v1/responses")["required"] == ["input"]


def test_notes_of_one_reader() -> None:
    def read(fields: Fields) -> None:
        fields.needed_text("a", most=3)
        for each in fields.objects("list", most=2):
            each.needed_text("x")
            if each.has("y"):
                each.needed_object("y").flag("z")

    told = schema_of(read, [{"a": "b", "list": [{"x": "1"}, {"x": "2", "y": {}}]}])
    null = {"type": "null"}
    inner = {"type": "object", "properties": {"z": {"anyOf": [{"type": "boolean"}, null]}}}
    item = {
        "type": "object",
        "properties": {"x": {"type": "string"}, "y": {"anyOf": [inner, null]}},
        "required": ["x"],
    }
    assert told == {
        "type": "object",
        "properties": {
            "a": {"type": "string", "maxLength": 3},
            "list": {"anyOf": [{"type": "array", "items": item, "maxItems": 2}, null]},
        },
        "required": ["a"],
    }


@needs_schemathesis
@pytest.mark.parametrize(
    "path, bodies",
    [
        ("/v1/chat/completions", samples.CHAT),
        ("/v1/completions", samples.COMPLETION),
        ("/v1/responses", samples.RESPONSE),
        ("/v1/messages", samples.MESSAGE),
    ],
)
def test_what_is_taken_fits_and_some_that_is_not_does_not(
    path: str, bodies: tuple[Mapping[str, Any], ...]
) -> None:
    import jsonschema_rs

    schema = body_schema(path)
    check = jsonschema_rs.validator_for(schema)
    for body in bodies:
        check.validate(body)
    assert not check.is_valid({})
    assert not check.is_valid(dict(bodies[0]) | {"model": 3})


@needs_schemathesis
@pytest.mark.parametrize("method, path", OPERATIONS)
def test_no_answer_is_another_than_described(small: Running, method: str, path: str) -> None:
    document = ask(small.port, "/openapi.json").json
    operation_test(small.base, document, method, path, 5 if method == "POST" else 2, seed=1)()
