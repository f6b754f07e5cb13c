"""What is said about a reply: how far it is, what it cost, how it ended, its tools. Pure."""

from __future__ import annotations

from qwq_gguf.chat.events import FinishReason, Reply, ThoughtEnded, ToolCallStarted, ToolResult
from qwq_gguf.words import count, one_line

__all__ = ["call_line", "details_line", "ending", "progress_line", "stats_line"]

# Endings that need no word: there was none, the model's own, and those that the whole reply had.
_UNSAID = (
    ThoughtEnded.NONE,
    ThoughtEnded.CLOSED,
    ThoughtEnded.STOP,
    ThoughtEnded.LENGTH,
    ThoughtEnded.CONTEXT,
    ThoughtEnded.INTERRUPTED,
)
_LEAST_TIME = 0.2  # seconds before a rate means anything


def progress_line(tokens: int, seconds: float, budget: int | None, room: int) -> str:
    """How far a thought is: `thinking: 143 tokens · 85 tok/s · 1,857 left · Ctrl-C answers now`;
    as much of it as has `room`.
    """
    parts = [f"thinking: {count(tokens, 'token')}"]
    if seconds >= _LEAST_TIME:
        parts.append(f"{tokens / seconds:.0f} tok/s")
    if budget is not None:
        parts.append(f"{max(budget - tokens, 0):,} left")
    parts.append("Ctrl-C answers now")
    while len(parts) > 1 and len(" · ".join(parts)) > room:
        parts.pop()
    return " · ".join(parts)


def stats_line(reply: Reply, used: int, context: int) -> str:
    """What a reply cost: `thought 143 tokens, answered 12 · 85.2 tok/s · context 9 % of 4,096`.

    Of a model that did not think: `answered 12 tokens · ...`. A thought that something else than
    the model ended: `thought 2,000 tokens (ended: budget), ...`.
    """
    share = 100 * used / context if context else 0.0
    spent = f"answered {count(reply.answer_tokens, 'token')}"
    if reply.thinking_tokens:
        thought = count(reply.thinking_tokens, "token")
        if reply.thought_ended not in _UNSAID:
            thought += f" (ended: {reply.thought_ended.replace('_', ' ')})"
        spent = f"thought {thought}, answered {reply.answer_tokens:,}"
    return " · ".join(
        (
            spent,
            f"{reply.tokens_per_second:.1f} tok/s",
            f"context {share:.0f} % of {context:,}",
        )
    )


def details_line(reply: Reply) -> str:
    """What else there is to know: `prompt 20 tokens · seed 5 · finished: stop · ...`."""
    return " · ".join(
        (
            f"prompt {count(reply.prompt_tokens, 'token')}",
            f"seed {reply.seed}",
            f"finished: {reply.finish_reason}",
            f"thought: {reply.thought_ended}",
            *(() if reply.speculated is None else (reply.speculated.describe(),)),
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
            return "It kept calling tools, so it had to answer with what they had said."
        case FinishReason.STOP if unclosed:
            return "The model ended its turn without an answer."
    return None


def call_line(event: ToolCallStarted | ToolResult) -> str:
    """`calculator(expression=3394*35979)` or ` = 122112726`."""
    if isinstance(event, ToolResult):
        return f"  {'failed:' if event.failed else '='} {one_line(event.content, 200)}"
    values = ", ".join(f"{name}={value}" for name, value in event.call.arguments.items())
    return one_line(f"{event.call.name}({values})", 200)
