"""How likely tokens were, in OpenAI's three forms: of chats, of completions, of responses.

A token is told as text and as bytes, because it may be half a character. JSON has no minus
infinity, so an impossible one has a number that stands for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qwq_gguf.chat.events import TokenOdds

__all__ = ["chat_logprobs", "output_logprobs", "text_logprobs"]

_IMPOSSIBLE = -9999.0  # OpenAI's own for a token that is not among those it knows of


def chat_logprobs(
    answer: Sequence[TokenOdds], thought: Sequence[TokenOdds] = ()
) -> dict[str, Any] | None:
    """`logprobs` of a choice of a chat; None without any. The thought's are beside the answer's, as
    its text is.
    """
    if not answer and not thought:
        return None
    told: dict[str, Any] = {"content": [_entry(each) for each in answer], "refusal": None}
    if thought:
        told["reasoning_content"] = [_entry(each) for each in thought]
    return told


def output_logprobs(odds: Sequence[TokenOdds]) -> list[dict[str, Any]]:
    """`logprobs` of a response's text."""
    return [_entry(each) for each in odds]


def text_logprobs(odds: Sequence[TokenOdds], offset: int = 0) -> dict[str, Any] | None:
    """`logprobs` of a completion; `offset` is where its text begins, in characters."""
    if not odds:
        return None
    offsets, raw = [], b""
    for each in odds:
        offsets.append(offset + len(raw.decode("utf-8", "ignore")))
        raw += each.piece
    return {
        "tokens": [_name(each.piece) for each in odds],
        "token_logprobs": [_number(each.logprob) for each in odds],
        "top_logprobs": [
            {_name(piece): _number(logprob) for piece, logprob in reversed(each.best)}
            for each in odds
        ],
        "text_offset": offsets,
    }


def _entry(odds: TokenOdds) -> dict[str, Any]:
    best = [_token(piece, logprob) for piece, logprob in odds.best]
    return {**_token(odds.piece, odds.logprob), "top_logprobs": best}


def _token(piece: bytes, logprob: float) -> dict[str, Any]:
    return {"token": _text(piece), "logprob": _number(logprob), "bytes": list(piece)}


def _number(logprob: float) -> float:
    return max(logprob, _IMPOSSIBLE)


def _text(piece: bytes) -> str:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return piece.decode("utf-8", "backslashreplace")


def _name(piece: bytes) -> str:
    """A key of its own: half characters are spelled as bytes, as OpenAI does it."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in piece)
