"""What happens while a reply is made, as a stream of values.

What a model answers is any number of deltas and notes, and then one `Responded`. A reply
of a conversation is that for each round of tools, tool events between them, and then one
`Finished` in the place of all `Responded`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from qwq_gguf.chat.messages import ToolCall
from qwq_gguf.chat.speculated import Speculated

__all__ = [
    "AnswerDelta",
    "AnswerWasThought",
    "ChatEvent",
    "FinishReason",
    "Finished",
    "Note",
    "Reply",
    "Responded",
    "Response",
    "ResponseEvent",
    "ThinkingDelta",
    "ThoughtEnded",
    "TokenOdds",
    "ToolCallStarted",
    "ToolResult",
]


class FinishReason(StrEnum):
    """Why a reply ended."""

    STOP = "stop"  # the model said it was done
    LENGTH = "length"  # the token limit of the reply was reached
    CONTEXT = "context"  # the context is full
    INTERRUPTED = "interrupted"  # the user stopped it
    TOOL_LIMIT = "tool_limit"  # its rounds of tools were used up, so it answered with what it had
    LOOP = "loop"  # the answer went in circles, and its governor ended it


class ThoughtEnded(StrEnum):
    """How a thought ended: the model's last one, where there are several.

    A thought that nothing closed ended with the reply, for the reason that this has. Those from
    `BUDGET` to `ASKED`, and `STOP`, were closed by its governor, and an answer followed.
    """

    NONE = "none"  # there was no thought
    CLOSED = "closed"  # the model closed it
    BUDGET = "budget"  # its tokens were used up
    TIME = "time"  # its time was used up
    RESERVE = "reserve"  # what was left of the context, or of the reply's limit, is the answer's
    LOOP = "loop"  # it went in circles
    MARGIN = "margin"  # it was as good as closed
    ASKED = "asked"  # the user wanted the answer
    TOOL_CALL = "tool_call"  # the model called a tool from within it
    STOP = "stop"  # the model ended its turn within it
    LENGTH = "length"  # the token limit of the reply was reached within it
    CONTEXT = "context"  # the context was full
    INTERRUPTED = "interrupted"  # the user stopped it


@dataclass(frozen=True, slots=True)
class Response:
    """What a model has answered to a list of messages, once.

    `written` is all text after the last thought; `answer` is that without the tool calls:
    `calls` as they were read, and in `unread` what is wrong with each that could not be.
    `seconds` are those of the generated tokens; neither prompt nor consumer count. `speculated`
    is what guessing tokens ahead has brought, None where it was off.
    """

    thinking: str
    answer: str
    written: str
    calls: tuple[ToolCall, ...]
    unread: tuple[str, ...]
    thinking_tokens: int
    answer_tokens: int
    prompt_tokens: int
    seed: int
    seconds: float
    finish_reason: FinishReason
    thought_ended: ThoughtEnded
    speculated: Speculated | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A finished reply. `seed` and the token counts let it be made again and compared.

    `answer` is the text after the last thought, tool calls taken out; `thinking` joins
    the thoughts of all rounds of tools, and `thought_ended` is how the last of them did.
    `prompt_tokens` counts the first round's prompt. `speculated` is what guessing tokens ahead
    has brought, None where it was off.
    """

    thinking: str
    answer: str
    thinking_tokens: int
    answer_tokens: int
    prompt_tokens: int
    finish_reason: FinishReason
    thought_ended: ThoughtEnded
    seed: int
    tokens_per_second: float
    tool_calls: tuple[ToolCall, ...] = ()
    speculated: Speculated | None = None


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
class TokenOdds:
    """How likely the model found the token whose text comes next; only where that was asked.

    `thought`: it is one of the thought, and none of the answer; a tag is of neither, and has no
    odds. `logprob` is the natural logarithm of its probability before any chain, `best` are the
    likeliest tokens with theirs. Bytes may be a part of a character.
    """

    piece: bytes
    logprob: float
    best: tuple[tuple[bytes, float], ...]
    thought: bool


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
class Note:
    """A sentence for the user: no part of a reply, and nothing is wrong with what was made."""

    text: str


@dataclass(frozen=True, slots=True)
class Responded:
    """The model has answered."""

    response: Response


@dataclass(frozen=True, slots=True)
class Finished:
    """The reply is complete."""

    reply: Reply


ResponseEvent: TypeAlias = (
    ThinkingDelta | AnswerDelta | AnswerWasThought | TokenOdds | Note | Responded
)

ChatEvent: TypeAlias = (
    ThinkingDelta | AnswerDelta | AnswerWasThought | ToolCallStarted | ToolResult | Note | Finished
)
