"""What a governor decides, done to a running generation; and that there is an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qwq_gguf.chat.events import FinishReason, Note, ThoughtEnded
from qwq_gguf.engine.marks import opening_token
from qwq_gguf.engine.replies.barred import BarredCalls
from qwq_gguf.engine.replies.closing import Closing, Closings, why_closed
from qwq_gguf.sampling import Grammar
from qwq_gguf.thinking import NOTHING, Bounds, Decision, Policy, hesitation_tokens

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from qwq_gguf.chat.tool_formats import ToolFormat
    from qwq_gguf.engine.model import Model
    from qwq_gguf.engine.replies.steered import Steered
    from qwq_gguf.engine.replies.stream import ReplyStream
    from qwq_gguf.profiles import Profile

__all__ = ["Governing"]

_MOST_BLANK = 16  # tokens of an answer before its first word
_LEAST_LEFT = 4  # tokens for the answer behind a word that it is given
_MOST_ENDS = 8  # tokens that end a turn
_PATIENCE = 3  # thoughts begun again
_TIGHT = 64  # tokens: too few for a thought that is begun again by spelling its tag


class Governing:
    """One generation's governor: `begin`, then `look` after each token.

    A thought that the model ends its turn in is closed, too, and an answer that says nothing
    is not over; so a reply that is not cancelled has an answer, where there is room for one.
    A grammar decides by itself what an answer may be: there nothing is forced. One for the whole
    reply decides of a thought, too: it is closed where the grammar takes that.
    """

    def __init__(
        self, model: Model, profile: Profile, *, no_calls: ToolFormat | None = None
    ) -> None:
        """`no_calls`: calls of this format are kept out of the reply, which ends with one."""
        self._model = model
        self._calls = None if no_calls is None else BarredCalls(model, no_calls)
        self._governor = profile.governor
        self._tags = profile.thinking
        grammar = profile.chain.stage(Grammar)
        self._grammar = None if grammar is None or grammar.off else grammar
        self._whole = self._grammar is not None and self._grammar.scope == "reply"
        self._due: ThoughtEnded | None = None  # why to close what the grammar holds open as yet
        #: How the last thought was closed, None where the model did it.
        self.ended: ThoughtEnded | None = None
        #: Why the reply is over, None while it is not.
        self.finish_reason: FinishReason | None = None
        self._opening = opening_token(model, self._tags)
        self._policy: Policy | None = None
        self._asked = False
        self._thought = False
        self._reason: ThoughtEnded | None = None  # of a closing under way
        self._landing = 0  # forced tokens still to come
        self._closed = 0  # thoughts
        self._ends: set[int] = set()  # tokens that would have ended a reply without an answer
        self._forbidden: frozenset[int] = frozenset()
        self._forbids_spelling = self._forbids_blanks = False
        self._forbids_while_silent = False  # tokens that an answer may well have later on
        self._formed = False  # whether an answer has begun that a grammar forms
        self._blank = 0
        self._spoke = False
        self._notes: list[Note] = []

    def answer_now(self) -> None:
        """Close the open thought with the next token; nothing outside one. From any thread."""
        self._asked = True
        if self._policy is not None:
            self._policy.answer_now()

    def begin(self, stream: ReplyStream, generation: Steered) -> None:
        """Before the first token: there is no thought where there is no budget for one."""
        self._stream, self._generation = stream, generation
        self._closings = Closings(self._model, self._tags, self._governor, generation.room)
        governor = self._governor
        closing = self._closing
        bounds = Bounds.of(governor, generation.room, len(closing.said))
        doubts = governor.hesitation_penalty > 0 or governor.winds_down
        self._policy = Policy(
            governor,
            bounds,
            close=closing.token,
            hesitations=hesitation_tokens(self._model.vocabulary.encode_text)
            if doubts
            else frozenset(),
        )
        if self._asked:
            self._policy.answer_now()
        self._thought = stream.in_thought
        if self._whole:
            self._do(self._policy.begin(thought=self._thought))
            if self._thought and bounds.generated == 0:
                self._close(ThoughtEnded.RESERVE)
            elif self._thought and governor.budget == 0:
                self._close(ThoughtEnded.BUDGET)
            return
        if governor.answers:
            generation.before_stop(self._goes_on)
            stream.on_stop = self._goes_on_after_text
        stream.reopens = self._opening is None
        self._do(self._policy.begin(thought=self._thought))
        if governor.budget == 0:
            if self._thought:
                self._close(ThoughtEnded.BUDGET, closing.bare)
            self._forbid()
        elif self._thought and bounds.generated == 0:
            self._close(ThoughtEnded.RESERVE, closing.tag)
        if self._calls is not None:
            self._forbid()
        if not self._thought:
            self._keep_from_blanks()

    def look(self, token: int, piece: bytes) -> Sequence[Note]:
        """After a token that its stream was fed."""
        policy, stream = self._policy, self._stream
        if policy is None:
            return ()
        thought = stream.in_thought
        if self._landing:
            self._landing -= 1
            if self._landing:
                return ()
        turned = thought is not self._thought
        if turned:
            self._turn(policy, thought)
        if self._grammar and not thought and not self._formed and (turned or stream.has_answer):
            # Between quotes it lets any token through, also the one that begins a thought.
            self._formed = True
            self._forbid()
        if thought:
            generation = self._generation
            decision = policy.in_thought(
                token, piece, stream.thinking_tokens, generation.tokens, generation.seconds
            )
            if self._whole and stream.calling and decision.close is ThoughtEnded.LOOP:
                decision = Decision(end=FinishReason.LOOP)  # what it calls with goes in circles
        else:
            decision = policy.in_answer(token, piece)
            if not stream.has_answer and not turned:
                decision = self._while_blank(decision)
            elif turned or self._ends or self._forbids_while_silent:
                self._ends.clear()
                self._keep_from_blanks()
                self._forbid()
            if self._calls is not None and (stream.calls_begun or stream.calling):
                self._turn_call(self._calls)
        if decision is not NOTHING:
            self._do(decision)
        elif self._due is not None and thought:
            self._close(self._due)
        if self._notes:
            notes, self._notes = self._notes, []
            return notes
        return ()

    def _turn(self, policy: Policy, thought: bool) -> None:
        """A thought has become the answer, or the other way."""
        self._thought = thought
        if not thought:
            self.ended, self._reason = self._reason, None
        self._blank = 0
        self._do(policy.begin(thought=thought))

    def _do(self, decision: Decision) -> None:
        if decision.bias is not None:
            self._generation.bias(decision.bias)
        if decision.looks:
            self._generation.before_pick(self._see)
        if decision.close is ThoughtEnded.MARGIN:  # it is as good as closed, without words
            self._close(decision.close, self._closing.tag)
        elif decision.close is not None:
            self._close(decision.close)
        if decision.end is not None:
            self.finish_reason = decision.end

    def _see(self, logits: npt.NDArray[np.float32]) -> None:
        self._generation.before_pick(None)
        if self._policy is not None and not self._landing:
            self._do(self._policy.see(logits))

    def _close(self, reason: ThoughtEnded, tokens: Sequence[int] | None = None) -> None:
        """End the thought, the first one in words, and let an answer follow."""
        closing = self._closing
        self._generation.before_pick(None)
        if self._whole:
            self._due = reason
            tokens = self._closings.taken(self._stream, self._generation, again=self._closed > 0)
            if tokens is None:
                return
            self._due = None
        elif self._stream.between:
            tokens = closing.tag
        elif tokens is None:
            tokens = closing.bare if self._closed else closing.said
        self._reason = reason
        self._closed += 1
        if self._closed > _PATIENCE and self._grammar is None:
            tokens = [*tokens, *closing.opener]
        self._generation.force(tokens)
        self._landing = len(tokens)
        self._stream.reopens = True  # it may be spelled, where its token is forbidden
        self._forbid()
        why = why_closed(reason, self._governor)
        if why:
            self._notes.append(Note(f"the thought is ended: {why}"))

    def _forbid(self) -> None:
        """An answer follows: some models would open the next thought at once, or say nothing."""
        if self._whole:
            return
        tokens = set(self._ends)
        stream, silent = self._stream, not self._stream.has_answer
        closed = self._closed or self._governor.budget == 0
        if self._opening is not None and (closed or self._formed):
            tokens.add(self._opening)
        if closed and self._grammar is None:
            again = self._closed > 1 or self._left < _TIGHT
            self._forbids_spelling = again and silent
            if self._forbids_spelling:
                tokens |= self._closing.openings
        if self._calls is not None:
            tokens |= self._calls.tokens(silent=silent and not stream.in_thought)
        if self._forbids_blanks and silent:
            vocabulary = self._model.vocabulary
            tokens |= vocabulary.blank_tokens() | vocabulary.beginning_tokens(stream.stops)
        self._forbids_while_silent = silent and (
            self._forbids_spelling or self._forbids_blanks or self._calls is not None
        )
        if tokens != self._forbidden:
            self._forbidden = frozenset(tokens)
            self._generation.forbid(self._forbidden)

    def _goes_on(self, token: int) -> bool:
        """Whether there is more to come after a token that would end the reply."""
        if self._stream.in_thought:
            return self._ends_turn_in_thought()
        stream = self._stream
        called = stream.has_called and self._calls is None
        if stream.has_answer or called or self._grammar is not None:
            return False
        if token in self._ends or len(self._ends) >= _MOST_ENDS:
            return self._speak()
        self._ends.add(token)
        self._forbid()
        return True

    def _goes_on_after_text(self, in_thought: bool) -> bool:
        """The same after a stop text."""
        if in_thought:
            return self._ends_turn_in_thought()
        return not self._stream.has_answer and self._speak()

    def _ends_turn_in_thought(self) -> bool:
        # Calls that a grammar of the answer has not seen are none.
        closing, may_call = self._closing, self._calls is None and self._grammar is None
        if (may_call and self._stream.ends_in_calls) or self._left <= len(closing.tag):
            return False
        roomy = self._left > len(closing.bare) + len(closing.opener)
        self._close(ThoughtEnded.STOP, closing.bare if roomy else closing.tag)
        return True

    def _while_blank(self, decision: Decision) -> Decision:
        """The answer has said nothing yet: it is no loop, and not for ever."""
        self._blank += 1
        if not self._governor.answers:
            return decision
        few = self._left <= len(self._closing.opener) + _LEAST_LEFT
        if decision.end is not None or few or self._blank >= _MOST_BLANK:
            if self._speak():
                return NOTHING
            self._keep_from_blanks()
        return decision

    def _keep_from_blanks(self) -> None:
        """Where the answer has no room for more than a word, let it be one."""
        if not self._governor.answers or self._grammar is not None or self._stream.between:
            return
        short = self._left <= len(self._closing.opener) + 1
        if short and not self._stream.has_answer and not self._forbids_blanks:
            self._forbids_blanks = True
            self._forbid()

    def _turn_call(self, calls: BarredCalls) -> None:
        """A call has begun all the same: one in a message of its own becomes the answer."""
        if self._stream.calling and not calls.turned and self._left > len(self._closing.tag):
            calls.turned += 1
            self._generation.force(self._closing.tag)
            self._landing = len(self._closing.tag)
        elif not self._landing:
            self.finish_reason = FinishReason.TOOL_LIMIT

    @property
    def _closing(self) -> Closing:
        """How a thought is closed here: between the messages of channels by other marks."""
        return self._closings.by(self._stream.closing_text)

    @property
    def _left(self) -> int:
        """Tokens that there is room for."""
        return self._generation.room - self._generation.tokens

    def _speak(self) -> bool:
        """Give the answer its first word; once."""
        opener = self._closing.opener
        if self._spoke or self._grammar is not None or self._left <= len(opener):
            return False
        self._spoke = True
        self._generation.force(opener)
        self._landing = len(opener)
        return True
