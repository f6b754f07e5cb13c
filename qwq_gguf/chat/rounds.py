"""The rounds of tools of one turn: when the last one has come, and all of them as one reply."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from qwq_gguf.chat.events import FinishReason, Reply, Response, ThoughtEnded
from qwq_gguf.chat.messages import Message, ToolCall
from qwq_gguf.chat.speculated import Speculated

__all__ = ["Rounds", "as_final", "no_room", "one_reply", "said_by_tools", "tokens_of"]

_MOST_REPEATED = 2  # rounds that bring nothing but what others have brought before
_MOST_TOLD = 8  # results
_MOST_CHARACTERS = 300  # of a result
_FINAL = (
    "(That was the last tool call of this turn: no tool can be called any more. "
    "Answer now, with what is known.)"
)


class Rounds:
    """What the tools of one turn have said so far; `last` once no more of it is wanted."""

    def __init__(self, most: int) -> None:
        """There are at most `most` rounds in which tools run."""
        self._most = most
        self._rounds = self._repeated = 0
        self._seen: set[tuple[str, str]] = set()
        self._said: list[tuple[ToolCall, str]] = []

    def add(self, said: Sequence[tuple[ToolCall, str]], errors: Sequence[str]) -> None:
        """A round: its calls with what came of each, and what was wrong with the unread."""
        brought = {(_spelled(call), result) for call, result in said}
        brought |= {("", error) for error in errors}
        self._rounds += 1
        self._repeated += brought <= self._seen
        self._seen |= brought
        self._said += said

    @property
    def last(self) -> bool:
        """Whether the model has to answer now."""
        return self._rounds >= self._most or self._repeated >= _MOST_REPEATED

    @property
    def why(self) -> str:
        """Why it is the last one, in words for the user."""
        if self._rounds < self._most:
            return "the same tools were called again and said the same: the model answers now"
        words = f"its {self._most} rounds" if self._most > 1 else "its one round"
        return f"{words} of tools are used up: the model answers now"

    @property
    def said(self) -> tuple[tuple[ToolCall, str], ...]:
        """The calls with their results, each once, where it was made last."""
        latest = {(_spelled(call), result): (call, result) for call, result in reversed(self._said)}
        return tuple(reversed(latest.values()))


def _spelled(call: ToolCall) -> str:
    return json.dumps([call.name, dict(call.arguments)], sort_keys=True, default=str)


def as_final(turn: Sequence[Message]) -> list[Message]:
    """The messages of a turn as the model reads them before its last word."""
    if not turn or turn[-1].role != "tool":
        return list(turn)
    return [*turn[:-1], replace(turn[-1], content=f"{turn[-1].content}\n\n{_FINAL}")]


def said_by_tools(said: Sequence[tuple[ToolCall, str]]) -> str:
    """An answer for a model that gives none: what its tools have said."""
    if not said:
        return "There is no answer: the reply ended before any tool had run."
    lines = [f"- {_short(_call_words(call))}: {_short(result)}" for call, result in said]
    return "\n".join(("There is no other answer than what the tools said:", *lines[-_MOST_TOLD:]))


def _call_words(call: ToolCall) -> str:
    values = ", ".join(f"{name}={value}" for name, value in call.arguments.items())
    return f"{call.name}({values})"


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _MOST_CHARACTERS else f"{words[:_MOST_CHARACTERS]} ..."


def tokens_of(response: Response) -> int:
    """Tokens of thought and answer together."""
    return response.thinking_tokens + response.answer_tokens


def no_room(reason: FinishReason, seed: int) -> Response:
    """A round for which there was no room."""
    return Response("", "", "", (), (), 0, 0, 0, seed, 0.0, reason, ThoughtEnded.NONE)


def one_reply(rounds: Sequence[Response], reason: FinishReason, seed: int) -> Reply:
    """All rounds of one turn as one reply; the calls of the last one were not run."""
    endings = [each.thought_ended for each in rounds]
    thoughts = [ending for ending in endings if ending is not ThoughtEnded.NONE]
    guessed = [each.speculated for each in rounds if each.speculated is not None]
    seconds = sum(each.seconds for each in rounds)
    return Reply(
        thinking="\n\n".join(each.thinking for each in rounds if each.thinking),
        answer=rounds[-1].answer,
        thinking_tokens=sum(each.thinking_tokens for each in rounds),
        answer_tokens=sum(each.answer_tokens for each in rounds),
        prompt_tokens=rounds[0].prompt_tokens,
        finish_reason=reason,
        thought_ended=thoughts[-1] if thoughts else ThoughtEnded.NONE,
        seed=seed,
        tokens_per_second=sum(map(tokens_of, rounds)) / seconds if seconds > 0 else 0.0,
        tool_calls=tuple(call for each in rounds[:-1] for call in each.calls),
        speculated=sum(guessed, Speculated()) if guessed else None,
    )
