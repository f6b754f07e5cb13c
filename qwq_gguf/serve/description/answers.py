"""What the server gives, as schemas: what clients may rely on, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["ANSWERS", "ANTHROPIC_ERROR", "OPENAI_ERROR"]

Schema = Mapping[str, Any]

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_MAYBE_TEXT: Schema = {"type": ["string", "null"]}


def _object(**properties: Schema) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(items: Schema) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _one(value: str) -> dict[str, Any]:
    return {"type": "string", "const": value}


_FINISH: Schema = {"type": "string", "enum": ["stop", "length", "tool_calls"]}
_USAGE = _object(
    prompt_tokens=_COUNT,
    completion_tokens=_COUNT,
    total_tokens=_COUNT,
    prompt_tokens_details=_object(cached_tokens=_COUNT),
    completion_tokens_details=_object(reasoning_tokens=_COUNT),
)
_LOGPROBS: Schema = {"type": ["object", "null"]}
_CALL = _object(id=_TEXT, type=_one("function"), function=_object(name=_TEXT, arguments=_TEXT))
_MESSAGE = _object(role=_one("assistant"), content=_MAYBE_TEXT)
_MESSAGE["properties"] |= {
    "reasoning_content": _TEXT,
    "reasoning": _TEXT,
    "tool_calls": _list(_CALL),
}
_MODEL = _object(id=_TEXT, object=_one("model"), created=_COUNT, owned_by=_TEXT)
_OUTPUT: Schema = _object(
    type={"type": "string", "enum": ["reasoning", "message", "function_call"]}, id=_TEXT
)
_BLOCK: Schema = _object(type={"type": "string", "enum": ["thinking", "text", "tool_use"]})

#: What stands in the body of a 200, by path.
ANSWERS: Mapping[str, Schema] = {
    "/v1/chat/completions": _object(
        id=_TEXT,
        object=_one("chat.completion"),
        created=_COUNT,
        model=_TEXT,
        choices=_list(
            _object(index=_COUNT, message=_MESSAGE, logprobs=_LOGPROBS, finish_reason=_FINISH)
        ),
        usage=_USAGE,
    ),
    "/v1/chat/completions/control": _object(id=_TEXT, success={"type": "boolean"}),
    "/v1/completions": _object(
        id=_TEXT,
        object=_one("text_completion"),
        created=_COUNT,
        model=_TEXT,
        choices=_list(_object(index=_COUNT, text=_TEXT, logprobs=_LOGPROBS, finish_reason=_FINISH)),
        usage=_USAGE,
    ),
    "/v1/responses": _object(
        id=_TEXT,
        object=_one("response"),
        status={"type": "string", "enum": ["completed", "incomplete"]},
        output=_list(_OUTPUT),
        usage=_object(
            input_tokens=_COUNT,
            output_tokens=_COUNT,
            total_tokens=_COUNT,
            output_tokens_details=_object(reasoning_tokens=_COUNT),
        ),
    ),
    "/v1/messages": _object(
        id=_TEXT,
        type=_one("message"),
        role=_one("assistant"),
        content=_list(_BLOCK),
        stop_reason=_TEXT,
        usage=_object(input_tokens=_COUNT, output_tokens=_COUNT),
    ),
    "/v1/messages/count_tokens": _object(input_tokens=_COUNT),
    "/tokenize": _object(tokens=_list(_COUNT), count=_COUNT),
    "/v1/models": _object(object=_one("list"), data=_list(_MODEL)),
    "/v1/models/{name}": _MODEL,
    "/settings": _object(model=_TEXT, profile=_TEXT, context=_COUNT, settings={"type": "object"}),
    "/health": _object(status={"type": "string", "enum": ["ok", "stopping", "worker lost"]}),
    "/metrics": _TEXT,
}
OPENAI_ERROR: Schema = _object(
    error=_object(message=_TEXT, type=_TEXT, param=_MAYBE_TEXT, code=_MAYBE_TEXT)
)
ANTHROPIC_ERROR: Schema = _object(type=_one("error"), error=_object(type=_TEXT, message=_TEXT))
