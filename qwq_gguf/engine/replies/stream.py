"""One generation as chat events: bytes to text, thought from answer, stops, tool calls.

Knows nothing of models: it is fed tokens with their bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from qwq_gguf.chat.addressed_calls import written_out
from qwq_gguf.chat.events import (
    AnswerDelta,
    AnswerWasThought,
    FinishReason,
    ThinkingDelta,
    ThoughtEnded,
)
from qwq_gguf.chat.tool_calls import OPEN as TOOL_CALL
from qwq_gguf.chat.tool_calls import may_be_last, trailing_calls
from qwq_gguf.engine.replies.detokenizer import Detokenizer
from qwq_gguf.engine.replies.watch import Suspense, Watch
from qwq_gguf.thinking import Called, Phase, Piece, Split, Splitter, WasThought

__all__ = ["Delta", "ReplyStream"]

Delta = ThinkingDelta | AnswerDelta | AnswerWasThought


class ReplyStream:
    """Feed it tokens until `stopped`, then `finish` it; read `thinking` and `answer`.

    `stops` are texts that end the reply and are not shown. With `holds_tool_calls` the
    answer is shown up to the first tool call; `answer` has all of it. So it is with calls
    that end the turn inside a thought: the thought counts as closed before them.
    """

    def __init__(
        self,
        splitter: Splitter,
        *,
        stops: Collection[str] = (),
        holds_tool_calls: bool = False,
    ) -> None:
        self._splitter = splitter
        self._detokenizer = Detokenizer()
        self._stops = Watch(stops)
        self._holds = holds_tool_calls
        self._calls = Watch((TOOL_CALL,) if holds_tool_calls else ())
        self._calls_in_thought = Suspense(TOOL_CALL, may_be_last)
        self._calling = False
        self._unshown: list[str] = []  # of the answer: calls
        self._phase = splitter.phase
        self._earlier = 0  # characters of thoughts before this one
        self._ended_in_calls = False
        self._undecided = splitter.undecided
        self._parts: dict[Phase, list[str]] = {Phase.THINKING: [], Phase.ANSWER: []}
        self._addressed: list[Called] = []
        self.stopped = False

    @property
    def in_thought(self) -> bool:
        """Whether the next token belongs to the thought."""
        return self._splitter.phase is Phase.THINKING

    @property
    def thinking(self) -> str:
        """The thought so far."""
        return "".join(self._parts[Phase.THINKING])

    @property
    def answer(self) -> str:
        """The answer so far, tool calls included."""
        return "".join(self._parts[Phase.ANSWER])

    @property
    def addressed(self) -> tuple[Called, ...]:
        """The calls that were messages of their own, and no part of the answer."""
        return tuple(self._addressed)

    @property
    def calling(self) -> bool:
        """Whether a call is being written that is a message of its own."""
        return self._splitter.calling

    @property
    def closing_text(self) -> str:
        """What to force so that the answer follows."""
        return self._splitter.closing_text

    @property
    def thinking_tokens(self) -> int:
        """Tokens of the thought so far."""
        return self._splitter.thinking_tokens

    @property
    def answer_tokens(self) -> int:
        """Tokens of the answer so far."""
        return self._splitter.answer_tokens

    def thought_ended(self, reason: FinishReason, *, governed: bool) -> ThoughtEnded:
        """How the last thought ended, once all is fed and `finish` was called.

        `reason` is why the generation ended; `governed`: a thought was closed from outside.
        """
        if self._ended_in_calls:
            return ThoughtEnded.TOOL_CALL
        if not self._splitter.opened:
            return ThoughtEnded.NONE
        # What came after a stop text in the same piece is no part of the reply.
        last = self._phase if self.stopped else self._splitter.phase
        if last is Phase.THINKING:
            return ThoughtEnded(reason)
        return ThoughtEnded.BUDGET if governed else ThoughtEnded.CLOSED

    def feed(self, token: int, piece: bytes) -> Iterator[Delta]:
        """Take a token; gives what may be shown now. Read it to its end."""
        yield from self._take(self._splitter.feed(self._detokenizer.feed(piece), token))

    def finish(self, *, turn_ended: bool = True) -> Iterator[Delta]:
        """What was held back; nothing after a stop text.

        `turn_ended` says that the model, or a stop text, ended it, and no limit.
        """
        if not self.stopped:
            yield from self._take(self._splitter.feed(self._detokenizer.finish()))
        if not self.stopped:
            yield from self._take(self._splitter.finish())
        if not self.stopped:
            yield from self._pass(self._stops.flush())
        if turn_ended and self._holds and self.in_thought and self._phase is Phase.THINKING:
            yield from self._end_in_calls()
        yield from self._show_held()

    def _take(self, splits: Sequence[Piece]) -> Iterator[Delta]:
        for split in splits:
            if isinstance(split, WasThought):
                yield from self._take_back()
                continue
            if isinstance(split, Called):
                if self._holds:
                    self._addressed.append(split)
                    continue
                split = Split(Phase.ANSWER, written_out([split]))
            phase, text = split
            if phase is not self._phase:
                yield from self._flush()
                self._phase = phase
                self._earlier = len(self.thinking)
            passed, match = self._stops.feed(text)
            yield from self._pass(passed)
            if match is not None:
                self.stopped = True
                return
        # Only now: what came before a tag in this piece was not decided yet.
        self._undecided = self._splitter.undecided

    def _flush(self) -> Iterator[Delta]:
        yield from self._pass(self._stops.flush())
        yield from self._show_held()

    def _pass(self, text: str) -> Iterator[Delta]:
        """Text that belongs to the reply."""
        if not text:
            return
        self._parts[self._phase].append(text)
        if self._phase is Phase.THINKING:
            if self._holds:
                text = self._calls_in_thought.feed(text)
            if text:
                yield ThinkingDelta(text)
            return
        if not self._calling:
            text, match = self._calls.feed(text)
            if text:
                yield AnswerDelta(text, sure=not self._undecided)
            if match is None:
                return
            self._calling = True
            text = match
        self._unshown.append(text)

    def _show_held(self) -> Iterator[Delta]:
        """What looked like a tool call, or the beginning of one, and was none."""
        if held := self._calls_in_thought.flush():
            yield ThinkingDelta(held)
        if held := self._calls.flush():
            yield AnswerDelta(held, sure=not self._undecided)

    def _take_back(self) -> Iterator[Delta]:
        """What was shown as answer is the thought, and what was not shown of it as well."""
        yield from self._flush()
        yield AnswerWasThought()
        if self._unshown:  # it only wrote of tool calls
            yield ThinkingDelta("".join(self._unshown))
            self._unshown.clear()
        self._parts[Phase.THINKING] += self._parts[Phase.ANSWER]
        self._parts[Phase.ANSWER] = []
        self._calling = self._undecided = False

    def _end_in_calls(self) -> Iterator[Delta]:
        """Calls that a thought ends in are moved to the answer, unshown."""
        thinking = self.thinking
        at = trailing_calls(thinking[self._earlier :])
        if at is None:
            return
        self._ended_in_calls = True
        thought, calls = thinking[: self._earlier + at], thinking[self._earlier + at :]
        held = self._calls_in_thought.flush()
        if len(held) > len(calls):  # another one before, quoted
            yield ThinkingDelta(held[: -len(calls)])
        self._parts[Phase.THINKING] = [thought.rstrip()]
        self._parts[Phase.ANSWER].append(calls)
