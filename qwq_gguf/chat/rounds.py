"""The rounds of tools of one turn, as one reply."""

from __future__ import annotations

from collections.abc import Sequence

from qwq_gguf.chat.events import FinishReason, Reply, Response, ThoughtEnded
from qwq_gguf.chat.speculated import Speculated

__all__ = ["no_room", "one_reply", "tokens_of"]


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
