"""What happens while a reply is made, as a stream of values.

A reply is any number of deltas, tool events and notices, and then one `Finished`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from qwq_gguf.chat.messages import ToolCall

__all__ = [
    "AnswerDelta",
    "AnswerWasThought",
    "ChatEvent",
    "FinishReason",
    "Finished",
    "Notice",
    "Reply",
    "ThinkingDelta",
    "ToolCallStarted",
    "ToolResult",
]


class FinishReason(StrEnum):
    """Why a reply ended."""

    STOP = "stop"  # the model said it was done
    LENGTH = "length"  # the token limit of the reply was reached
    CONTEXT = "context"  # the context is full
    INTERRUPTED = "interrupted"  # the user stopped it
    TOOL_LIMIT = "tool_limit"  # it asked for more rounds of tools than allowed


@dataclass(frozen=True, slots=True)
class Reply:
    """A finished reply. `seed` and the token counts let it be made again and compared.

    `answer` is the text after the last thought, tool calls taken out; `thinking` joins
    the thoughts of all rounds of tools. `prompt_tokens` counts the first round's prompt.
    """

    thinking: str
    answer: str
    thinking_tokens: int
    answer_tokens: int
    prompt_tokens: int
    finish_reason: FinishReason
    seed: int
    tokens_per_second: float
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """More text of the thought."""

    text: str


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """More text of the answer.

    Not `sure` while it may still turn out to be the thought (`AnswerWasThought`): some
    models begin to think without an opening tag, and only the closing one tells.
    """

    text: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class AnswerWasThought:
    """The answer's deltas so far, all of them not `sure`, were the thought.

    The answer begins after this. Comes at most once in each round of tools.
    """


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """The model asked for a tool, which now runs."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the tool gave back to the model; `failed` when that is an error."""

    call: ToolCall
    content: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know that is no part of the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The reply is complete."""

    reply: Reply


ChatEvent: TypeAlias = (
    ThinkingDelta
    | AnswerDelta
    | AnswerWasThought
    | ToolCallStarted
    | ToolResult
    | Notice
    | Finished
)
