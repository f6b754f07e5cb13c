"""Replies as a run would have them, for what counts and keeps them."""

from __future__ import annotations

from typing import Any

from qwq_gguf.evaluation.asking.sample import Sample

__all__ = ["sample"]


def sample(key: str = "add:1+1", number: int = 0, **changes: Any) -> Sample:
    """A right reply of 10 thinking tokens and 5 more; `changes` are other values of its fields."""
    fields: dict[str, Any] = {
        "model": "m.gguf",
        "profile": "qwq",
        "governor": "default",
        "skill": key.partition(":")[0],
        "seed": 7,
        "right": True,
        "found": "2",
        "why": None,
        "answered": True,
        "looped": False,
        "thought_tokens": 10,
        "reply_tokens": 15,
        "prompt_tokens": 20,
        "calls": 0,
        "thought_ended": "closed",
        "finish_reason": "stop",
        "seconds": 0.5,
        "thought": "hm",
        "answer": "2",
    }
    return Sample(key=key, sample=number, **(fields | changes))
