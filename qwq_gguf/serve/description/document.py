"""The OpenAPI document: paths, what they take and what they give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from qwq_gguf.serve.description import samples
from qwq_gguf.serve.description.answers import ANSWERS, ANTHROPIC_ERROR, OPENAI_ERROR
from qwq_gguf.serve.description.noting import schema_of
from qwq_gguf.serve.reading.anthropic import read_anthropic
from qwq_gguf.serve.reading.chat import read_chat
from qwq_gguf.serve.reading.completions import read_completion
from qwq_gguf.serve.reading.fields import Fields
from qwq_gguf.serve.reading.others import read_control, read_tokenize
from qwq_gguf.serve.reading.responses import read_response

__all__ = ["describe"]

Read = Callable[[Fields], object]

# Of each path that takes a body: what it does, its reader, and whether it can be streamed.
_POSTS: Mapping[str, tuple[str, Read, Sequence[Mapping[str, Any]], bool]] = {
    "/v1/chat/completions": ("Answer a chat", read_chat, samples.CHAT, True),
    "/v1/chat/completions/control": (
        "Let a running reply answer now",
        read_control,
        samples.CONTROL,
        False,
    ),
    "/v1/completions": ("Go on with a text", read_completion, samples.COMPLETION, True),
    "/v1/responses": ("Answer a chat", read_response, samples.RESPONSE, True),
    "/v1/messages": ("Answer a chat", read_anthropic, samples.MESSAGE, True),
    "/v1/messages/count_tokens": (
        "Count the tokens of a prompt",
        read_anthropic,
        samples.MESSAGE,
        False,
    ),
    "/tokenize": ("Make tokens of a text", read_tokenize, samples.TOKENIZE, False),
}
_GETS: Mapping[str, str] = {
    "/v1/models": "The models there are",
    "/v1/models/{name}": "One of them",
    "/settings": "How a model is run where a request says nothing",
    "/health": "Whether the server answers",
    "/metrics": "What it has done, for Prometheus",
    "/openapi.json": "This description",
}


@cache
def describe(version: str) -> dict[str, Any]:
    """The document, for this version of the program."""
    paths: dict[str, Any] = {}
    for path, (summary, read, given, streamed) in _POSTS.items():
        body = {"application/json": {"schema": schema_of(read, given)}}
        paths[path] = {
            "post": {
                "summary": summary,
                "requestBody": {"required": True, "content": body},
                "responses": _responses(path, streamed=streamed),
            }
        }
    for path, summary in _GETS.items():
        get: dict[str, Any] = {"summary": summary, "responses": _responses(path)}
        if path.endswith("{name}"):
            name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
            get["parameters"] = [name]
        if path == "/settings":
            model = {"name": "model", "in": "query", "schema": {"type": "string"}}
            get["parameters"] = [model]
        if path == "/health":
            get["responses"]["503"] = get["responses"]["200"] | {"description": "It is stopping"}
            get["security"] = []
        paths[path] = {"get": get}
    schemes = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "qwq-gguf serve",
            "version": version,
            "description": "A reasoning model by the protocols of OpenAI and Anthropic. A key is "
            "needed where the server was started with one.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Error": OPENAI_ERROR, "AnthropicError": ANTHROPIC_ERROR},
            "securitySchemes": schemes,
        },
        "security": [{}, {"bearer": []}, {"key": []}],
    }


def _responses(path: str, *, streamed: bool = False) -> dict[str, Any]:
    kind = "text/plain" if path == "/metrics" else "application/json"
    content = {kind: {"schema": ANSWERS.get(path, {"type": "object"})}}
    if streamed:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    name = "AnthropicError" if path.startswith("/v1/messages") else "Error"
    refused = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    return {
        "200": {"description": "Done", "content": content},
        "default": {"description": "Refused, with the field to blame", "content": refused},
    }
