"""What is said about a reply: what it cost, how it ended, which tools it called. Pure."""

from __future__ import annotations

from qwq_gguf.chat.events import FinishReason, Reply, ToolCallStarted, ToolResult
from qwq_gguf.words import count, one_line

__all__ = ["call_line", "ending", "stats_line"]


def stats_line(reply: Reply, used: int, context: int) -> str:
    """What a reply cost: `thought 143 tokens, answered 12 · 85.2 tok/s · context 9 % of 4,096`.

    Of a model that did not think: `answered 12 tokens · ...`.
    """
    share = 100 * used / context if context else 0.0
    spent = f"answered {count(reply.answer_tokens, 'token')}"
    if reply.thinking_tokens:
        thought = count(reply.thinking_tokens, "token")
        spent = f"thought {thought}, answered {reply.answer_tokens:,}"
    return " · ".join(
        (
            spent,
            f"{reply.tokens_per_second:.1f} tok/s",
            f"context {share:.0f} % of {context:,}",
        )
    )


def ending(reply: Reply) -> str | None:
    """What to say of a reply that did not end by itself, or None."""
    unclosed = " in the middle of the thought" if not reply.answer and reply.thinking else ""
    match reply.finish_reason:
        case FinishReason.LENGTH:
            return f"Stopped{unclosed}: the limit of tokens is reached (-n raises it)."
        case FinishReason.CONTEXT:
            return f"Stopped{unclosed}: the context is full (-c gives more, /clear starts over)."
        case FinishReason.INTERRUPTED:
            return f"Interrupted{unclosed}."
        case FinishReason.LOOP:
            return "Stopped: the answer went in circles."
        case FinishReason.TOOL_LIMIT:
            return "Stopped: too many tool calls in one reply."
        case FinishReason.STOP if unclosed:
            return "The model ended its turn without an answer."
    return None


def call_line(event: ToolCallStarted | ToolResult) -> str:
    """`calculator(expression=3394*35979)` or ` = 122112726`."""
    if isinstance(event, ToolResult):
        return f"  {'failed:' if event.failed else '='} {one_line(event.content, 200)}"
    values = ", ".join(f"{name}={value}" for name, value in event.call.arguments.items())
    return one_line(f"{event.call.name}({values})", 200)
