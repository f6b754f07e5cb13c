"""One reply driven token by token: by who pulls tokens, or by a scheduler that has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from qwq_gguf.chat.addressed_calls import read_addressed
from qwq_gguf.chat.events import (
    FinishReason,
    Note,
    Responded,
    Response,
    ResponseEvent,
    TokenOdds,
)
from qwq_gguf.engine.replies.governing import Governing
from qwq_gguf.engine.replies.steered import Steered
from qwq_gguf.engine.replies.stream import Delta, ReplyStream

__all__ = ["ReplyDriver"]


class ReplyDriver:
    """What becomes of a generation's tokens, and what is done to it meanwhile.

    `begin` it with the generation, `feed` each token and read its events to their end, before
    the next token is picked; then `finish`. Whoever drives it ends the generation once it is
    `done`.
    """

    def __init__(
        self,
        stream: ReplyStream,
        governing: Governing,
        *,
        seed: int,
        odds: tuple[int, Callable[[int], bytes]] | None = None,
    ) -> None:
        """`seed` is told in the response. `odds`: how many of the likeliest tokens are told beside
        each, and what gives the bytes of one; None where nothing of that is.
        """
        self._odds = odds
        self._stream = stream
        self._governing = governing
        self._seed = seed
        self._generation: Steered | None = None

    @property
    def done(self) -> bool:
        """Whether a stop text has come, or its governor ended it: no token after it is of use."""
        return self._stream.stopped or self._governing.finish_reason is not None

    def answer_now(self) -> None:
        """Close the open thought with the next token; nothing outside one. From any thread."""
        self._governing.answer_now()

    def begin(self, generation: Steered) -> None:
        """Before the first token."""
        self._generation = generation
        if self._odds is not None:
            generation.tell_odds(self._odds[0])
        self._governing.begin(self._stream, generation)

    def feed(self, token: int, piece: bytes) -> Iterator[Delta | Note | TokenOdds]:
        """The events of a token; what has to be done about its thought is done by their end."""
        stream, generation = self._stream, self._begun
        thought = stream.in_thought
        if self._odds is None:
            yield from stream.feed(token, piece)
        else:
            deltas = list(stream.feed(token, piece))
            if thought is stream.in_thought and not stream.between:
                yield from self._told(piece, thought, self._odds[1])
            yield from deltas
        if stream.stopped:
            return
        if thought and not stream.in_thought:
            generation.begin_answer()
        yield from self._governing.look(token, piece)

    def _told(
        self, piece: bytes, thought: bool, bytes_of: Callable[[int], bytes]
    ) -> Iterator[TokenOdds]:
        odds = self._begun.odds
        if odds is not None:
            best = tuple((bytes_of(token), logprob) for token, logprob in odds.best)
            yield TokenOdds(piece, odds.logprob, best, thought)

    def finish(self, reason: FinishReason) -> Iterator[ResponseEvent]:
        """What was held back, and the response. `reason`: why the generation ended by itself."""
        reason = FinishReason.STOP if self._stream.stopped else reason
        reason = self._governing.finish_reason or reason
        yield from self._stream.finish(turn_ended=reason is FinishReason.STOP)
        yield Responded(self._response(reason))

    @property
    def _begun(self) -> Steered:
        assert self._generation is not None, "begin it first"
        return self._generation

    def _response(self, reason: FinishReason) -> Response:
        stream, generation = self._stream, self._begun
        parsed = stream.parsed
        calls, unread = read_addressed(stream.addressed)
        return Response(
            thinking=stream.thinking,
            answer=parsed.text,
            written=stream.answer,
            calls=parsed.calls + calls,
            unread=parsed.errors + unread,
            thinking_tokens=stream.thinking_tokens,
            answer_tokens=stream.answer_tokens,
            prompt_tokens=generation.prompt_tokens,
            seed=self._seed,
            seconds=generation.seconds,
            finish_reason=reason,
            thought_ended=stream.thought_ended(reason, governed=self._governing.ended),
            speculated=generation.speculated,
        )
