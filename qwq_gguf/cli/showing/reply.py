"""A reply as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwq_gguf.chat.events import Reply
    from qwq_gguf.profiles import Profile
    from qwq_gguf.thinking import Thoughts

__all__ = ["CHAT_SCHEMA", "reply_to_json"]

CHAT_SCHEMA = "qwq-gguf/chat/1"


def reply_to_json(reply: Reply, profile: Profile, thoughts: Thoughts) -> dict[str, Any]:
    """A reply as the object that `--json` prints."""
    mode = thoughts.mode
    return {
        "schema": CHAT_SCHEMA,
        "thinking": reply.thinking,
        "answer": reply.answer,
        "thinking_tokens": reply.thinking_tokens,
        "answer_tokens": reply.answer_tokens,
        "prompt_tokens": reply.prompt_tokens,
        "finish_reason": str(reply.finish_reason),
        "thought_ended": str(reply.thought_ended),
        "seed": reply.seed,
        "tokens_per_second": round(reply.tokens_per_second, 2),
        "speculation": None if reply.speculated is None else reply.speculated.to_json(),
        "tool_calls": [
            {"name": call.name, "arguments": dict(call.arguments)} for call in reply.tool_calls
        ],
        "profile": profile.name,
        "thoughts": {
            "wanted": None if mode is None else "on" if mode else "off",
            "template": thoughts.form.to_json(),
        },
    }
