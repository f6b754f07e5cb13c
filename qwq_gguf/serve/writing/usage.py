"""What a request cost, and why its replies ended, in each protocol's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qwq_gguf.serve.writing.parts import Ended

__all__ = ["chat_finish", "chat_usage", "details"]


def chat_finish(ended: Ended) -> str:
    """OpenAI's `finish_reason`: `length` for whatever is not the whole answer."""
    if ended.calls:
        return "tool_calls"
    return "length" if ended.cut else "stop"


def chat_usage(ended: Sequence[Ended], cached: int = 0) -> dict[str, Any]:
    """OpenAI's `usage` of all choices; their prompt is counted once."""
    responses = [each.response for each in ended]
    prompt = responses[0].prompt_tokens if responses else 0
    thinking = sum(each.thinking_tokens for each in responses)
    completion = thinking + sum(each.answer_tokens for each in responses)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": min(cached, prompt)},
        "completion_tokens_details": {"reasoning_tokens": thinking},
    }


def details(ended: Ended) -> Mapping[str, Any]:
    """What no protocol has a word for, under our own name; clients that do not know it skip it."""
    response = ended.response
    tokens = response.thinking_tokens + response.answer_tokens
    return {
        "finish_reason": str(response.finish_reason),
        "thought_ended": str(response.thought_ended),
        "seed": response.seed,
        "tokens_per_second": round(tokens / response.seconds, 2) if response.seconds else None,
    }
