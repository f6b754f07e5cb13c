"""One generation as chat events: bytes to text, thought from answer, stops, tool calls.

Knows nothing of models: it is fed tokens with their bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from qwq_gguf.chat.addressed_calls import written_out
from qwq_gguf.chat.events import (
    AnswerDelta,
    AnswerWasThought,
    FinishReason,
    ThinkingDelta,
    ThoughtEnded,
)
from qwq_gguf.chat.tool_formats import ParsedAnswer, ToolFormat
from qwq_gguf.engine.replies.detokenizer import Detokenizer
from qwq_gguf.engine.replies.watch import Suspense, Watch
from qwq_gguf.thinking import Called, Phase, Piece, Split, Splitter, WasThought

__all__ = ["Delta", "ReplyStream"]

Delta = ThinkingDelta | AnswerDelta | AnswerWasThought


class ReplyStream:
    """Feed it tokens until `stopped`, then `finish` it; read `thinking` and `answer`.

    `stops` are texts that end the reply and are not shown; `answer_stops` do so in the answer
    alone, as a thought may well write of them. With a `tool_format` the answer is
    shown up to the first tool call; `answer` has all of it. So it is with calls that end the
    turn inside a thought: the thought counts as closed before them.
    """

    def __init__(
        self,
        splitter: Splitter,
        *,
        stops: Collection[str] = (),
        answer_stops: Collection[str] = (),
        tool_format: ToolFormat | None = None,
    ) -> None:
        self._splitter = splitter
        self._detokenizer = Detokenizer()
        #: The texts that end an answer.
        self.stops = (*stops, *answer_stops)
        thought, answer = Watch(stops), Watch(self.stops)
        self._watches = {Phase.THINKING: thought, Phase.ANSWER: answer}
        self._format = tool_format
        watched = () if tool_format is None else tool_format.watched
        self._calls = Watch(() if tool_format is None else tool_format.held)
        self._calls_in_thought = Suspense(watched, self._may_be_last)
        self._calling = False
        self._unshown: list[str] = []  # of the answer: calls
        self._phase = splitter.phase
        self._earlier = 0  # characters of thoughts before this one
        self._ended_in_calls = False
        self._undecided = splitter.undecided
        self._parts: dict[Phase, list[str]] = {Phase.THINKING: [], Phase.ANSWER: []}
        self._addressed: list[Called] = []
        self.stopped = False
        #: Whether any visible text of an answer has come.
        self.has_answer = False
        #: Asked at a stop text, which is left out, whether the reply goes on after it; is told
        #: whether it came in a thought.
        self.on_stop: Callable[[bool], bool] | None = None

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
    def parsed(self) -> ParsedAnswer:
        """The answer and the calls in it, once all is fed and `finish` was called."""
        if self._format is None:
            return ParsedAnswer(self.answer, (), ())
        return self._format.parse(self.answer)

    @property
    def addressed(self) -> tuple[Called, ...]:
        """The calls that were messages of their own, and no part of the answer."""
        return tuple(self._addressed)

    @property
    def calling(self) -> bool:
        """Whether a call is being written that is a message of its own."""
        return self._splitter.calling

    @property
    def calls_begun(self) -> bool:
        """Whether the answer has come to what looks like a call."""
        return self._calling

    @property
    def between(self) -> bool:
        """Whether what comes next is neither thought nor answer, but says what follows it."""
        return self._splitter.between

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

    @property
    def has_called(self) -> bool:
        """Whether a message of its own to a tool has come, or has begun."""
        return bool(self._addressed) or self._splitter.calling

    @property
    def ends_in_calls(self) -> bool:
        """Whether the thought so far ends in tool calls, which a turn may end in, too."""
        if self.has_called:
            return True
        if self._format is None:
            return False
        return self._format.trailing_calls(self.thinking[self._earlier :]) is not None

    @property
    def reopens(self) -> bool:
        """Whether an opening tag that is spelled begins a thought where an answer would begin."""
        return self._splitter.reopens

    @reopens.setter
    def reopens(self, reopens: bool) -> None:
        self._splitter.reopens = reopens

    def thought_ended(self, reason: FinishReason, *, governed: ThoughtEnded | None) -> ThoughtEnded:
        """How the last thought ended, once all is fed and `finish` was called.

        `reason` is why the generation ended, `governed` why the thought was closed from outside.
        """
        if self._ended_in_calls:
            return ThoughtEnded.TOOL_CALL
        if not self._splitter.opened:
            return ThoughtEnded.NONE
        # What came after a stop text in the same piece is no part of the reply.
        last = self._phase if self.stopped else self._splitter.phase
        if last is Phase.THINKING:
            return ThoughtEnded(reason)
        return governed or ThoughtEnded.CLOSED

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
            yield from self._pass(self._watches[self._phase].flush())
        if turn_ended and self.in_thought and self._phase is Phase.THINKING:
            yield from self._end_in_calls()
        yield from self._show_held()
        if self._unshown and not self._ended_in_calls:
            yield from self._show_words()

    def _take(self, splits: Sequence[Piece]) -> Iterator[Delta]:
        for split in splits:
            if isinstance(split, WasThought):
                yield from self._take_back()
                continue
            if isinstance(split, Called):
                if self._format is not None:
                    self._addressed.append(split)
                    continue
                split = Split(Phase.ANSWER, written_out([split]))
            phase, text = split
            if phase is not self._phase:
                yield from self._flush()
                self._phase = phase
                self._earlier = len(self.thinking)
            passed, match = self._watches[self._phase].feed(text)
            yield from self._pass(passed)
            if match is not None and not self._goes_on():
                self.stopped = True
                return
        # Only now: what came before a tag in this piece was not decided yet.
        self._undecided = self._splitter.undecided

    def _goes_on(self) -> bool:
        return self.on_stop is not None and self.on_stop(self._phase is Phase.THINKING)

    def _flush(self) -> Iterator[Delta]:
        yield from self._pass(self._watches[self._phase].flush())
        yield from self._show_held()

    def _pass(self, text: str) -> Iterator[Delta]:
        """Text that belongs to the reply."""
        if not text:
            return
        self._parts[self._phase].append(text)
        if self._phase is Phase.THINKING:
            text = self._calls_in_thought.feed(text)
            if text:
                yield ThinkingDelta(text)
            return
        self.has_answer = self.has_answer or not text.isspace()
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

    def _show_words(self) -> Iterator[Delta]:
        """What looked like calls all along, and is none: text about them, or other JSON."""
        parsed, words = self.parsed, "".join(self._unshown)
        if parsed.calls or parsed.errors:
            watched = () if self._format is None else self._format.watched
            words = words[
                : min((at for each in watched if (at := words.find(each)) >= 0), default=0)
            ]
        if words:
            yield AnswerDelta(words, sure=not self._undecided)

    def _may_be_last(self, text: str) -> bool:
        return self._format is not None and self._format.may_be_last(text)

    def _take_back(self) -> Iterator[Delta]:
        """What was shown as answer is the thought, and what was not shown of it as well."""
        yield from self._flush()
        yield AnswerWasThought()
        if self._unshown:  # it only wrote of tool calls
            yield ThinkingDelta("".join(self._unshown))
            self._unshown.clear()
        self._parts[Phase.THINKING] += self._parts[Phase.ANSWER]
        self._parts[Phase.ANSWER] = []
        self._calling = self._undecided = self.has_answer = False

    def _end_in_calls(self) -> Iterator[Delta]:
        """Calls that a thought ends in are moved to the answer, unshown."""
        thinking = self.thinking
        at = (
            None if self._format is None else self._format.trailing_calls(thinking[self._earlier :])
        )
        if at is None:
            return
        self._ended_in_calls = True
        thought, calls = thinking[: self._earlier + at], thinking[self._earlier + at :]
        held = self._calls_in_thought.flush()
        if len(held) > len(calls):  # another one before, quoted
            yield ThinkingDelta(held[: -len(calls)])
        self._parts[Phase.THINKING] = [thought.rstrip()]
        self._parts[Phase.ANSWER].append(calls)
