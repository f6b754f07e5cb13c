"""One generation as chat events: bytes to text, thought from answer, stops, tool calls.

Knows nothing of models: it is fed tokens with their bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from qwq_gguf.chat.events import AnswerDelta, ThinkingDelta
from qwq_gguf.chat.tool_calls import OPEN as TOOL_CALL
from qwq_gguf.runtime.detokenizer import Detokenizer
from qwq_gguf.runtime.watch import Watch
from qwq_gguf.thinking import Phase, Split, ThoughtSplitter

__all__ = ["Delta", "ReplyStream"]

Delta = ThinkingDelta | AnswerDelta


class ReplyStream:
    """Feed it tokens until `stopped`, then `finish` it; read `thinking` and `answer`.

    `stops` are texts that end the reply and are not shown. With `holds_tool_calls` the
    answer is shown up to the first tool call; `answer` has all of it.
    """

    def __init__(
        self,
        splitter: ThoughtSplitter,
        *,
        stops: Collection[str] = (),
        holds_tool_calls: bool = False,
    ) -> None:
        self._splitter = splitter
        self._detokenizer = Detokenizer()
        self._stops = Watch(stops)
        self._calls = Watch((TOOL_CALL,) if holds_tool_calls else ())
        self._calling = False
        self._phase = splitter.phase
        self._parts: dict[Phase, list[str]] = {Phase.THINKING: [], Phase.ANSWER: []}
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
    def thinking_tokens(self) -> int:
        """Tokens of the thought so far."""
        return self._splitter.thinking_tokens

    @property
    def answer_tokens(self) -> int:
        """Tokens of the answer so far."""
        return self._splitter.answer_tokens

    def feed(self, token: int, piece: bytes) -> Iterator[Delta]:
        """Take a token; gives what may be shown now. Read it to its end."""
        yield from self._take(self._splitter.feed(self._detokenizer.feed(piece), token))

    def finish(self) -> Iterator[Delta]:
        """What was held back; nothing after a stop text."""
        if not self.stopped:
            yield from self._take(self._splitter.feed(self._detokenizer.finish()))
        if not self.stopped:
            yield from self._take(self._splitter.finish())
        if not self.stopped:
            yield from self._flush()

    def _take(self, splits: list[Split]) -> Iterator[Delta]:
        for phase, text in splits:
            if phase is not self._phase:
                yield from self._flush()
                self._phase = phase
            shown, match = self._stops.feed(text)
            yield from self._show(shown)
            if match is not None:
                self.stopped = True
                yield from self._show_held()
                return

    def _flush(self) -> Iterator[Delta]:
        yield from self._show(self._stops.flush())
        yield from self._show_held()

    def _show(self, text: str) -> Iterator[Delta]:
        if not text:
            return
        self._parts[self._phase].append(text)
        if self._phase is Phase.THINKING:
            yield ThinkingDelta(text)
        elif not self._calling:
            shown, match = self._calls.feed(text)
            self._calling = match is not None
            if shown:
                yield AnswerDelta(shown)

    def _show_held(self) -> Iterator[Delta]:
        """An answer's end that looked like the beginning of a tool call and was none."""
        held = self._calls.flush()
        if held:
            yield AnswerDelta(held)
