"""Bodies of requests, changed at random: by what is in them, or byte by byte."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

from qwq_gguf.serve.description import samples

__all__ = ["BODIES", "fault", "mutated"]

BODIES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "/v1/chat/completions": samples.CHAT,
    "/v1/chat/completions/control": samples.CONTROL,
    "/v1/completions": samples.COMPLETION,
    "/v1/responses": samples.RESPONSE,
    "/v1/messages": samples.MESSAGE,
    "/v1/messages/count_tokens": samples.MESSAGE,
    "/tokenize": samples.TOKENIZE,
}
# Names under which each protocol bounds a reply, so that most are short.
_SHORT = {"max_tokens": 3, "max_output_tokens": 3}
_ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 0.5, -0.0, 1e300, 2**31, 2**53, 2**64, 10**300, -(10**30),
    "", "x", "\0", "\ud7ff", "none", "auto", "required", "<think>", "</think>", "<|im_end|>",
    "../../etc/passwd", "http://127.0.0.1:1/", "x" * 5000, "\N{PILE OF POO}" * 40, "root ::= [a-",
    "{{ 7 * 7 }}", [], [[]], [None], [1, "a"], {}, {"": {}}, {"type": "object"}, {"$ref": "#"},
    {"type": "text", "text": "x"}, {"pattern": "(a+)+$"}, [{}] * 300,
    {str(n): n for n in range(50)},
)  # fmt: skip
_BYTES = (
    b"[",
    b"}",
    b'"',
    b"-1",
    b"null",
    b"\xff",
    b"\\u0000",
    b"\\ud800",
    b"1e999",
    b",",
    b"\x00",
)
_WORDS = (
    "temperature", "top_p", "top_k", "n", "seed", "stop", "stream", "logit_bias", "grammar",
    "reasoning_effort", "thinking_budget", "logprobs", "top_logprobs", "response_format", "tools",
    "tool_choice", "max_tokens", "chat_template_kwargs", "xtc_probability", "dry_multiplier",
    "parallel_tool_calls", "stop_sequences", "include", "best_of", "min_p", "role", "model",
)  # fmt: skip


def mutated(dice: random.Random) -> tuple[str, bytes]:
    """A path and a body for it."""
    path = dice.choice(list(BODIES))
    body = copy.deepcopy(dict(dice.choice(BODIES[path]))) | _SHORT
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        _change(body, dice)
    raw = json.dumps(body).encode()
    if dice.random() < 0.2:
        changed = bytearray(raw)
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(changed) + 1)
            changed[at : at + dice.randrange(3)] = dice.choice(_BYTES)
        raw = bytes(changed)
    return path, raw


def fault(content: bytes) -> bool:
    """Whether an answer, or a stream of events, tells of a fault of the server's own."""
    return b'"server_error"' in content or b'"api_error"' in content


def _change(body: dict[str, Any], dice: random.Random) -> None:
    """One value somewhere is another, gone, or there twice; or a field is there that was not."""
    if dice.random() < 0.3:
        body[dice.choice(_WORDS)] = copy.deepcopy(dice.choice(_ODD))
        return
    places = list(_places(body))
    if not places:
        return
    inside, key = dice.choice(places)
    match dice.randrange(5):
        case 0:
            del inside[key]
        case 1 if isinstance(inside, list):
            inside.append(copy.deepcopy(inside[key]))
        case 2 if isinstance(inside, dict):
            inside[dice.choice(_WORDS)] = inside.pop(key)
        case 3:
            other, place = dice.choice(places)
            inside[key] = copy.deepcopy(other[place])
        case _:
            inside[key] = copy.deepcopy(dice.choice(_ODD))


def _places(value: Any) -> Any:
    """Everything that can be changed."""
    if isinstance(value, dict):
        keys: Any = list(value)
    elif isinstance(value, list):
        keys = range(len(value))
    else:
        return
    for key in keys:
        yield value, key
        yield from _places(value[key])
