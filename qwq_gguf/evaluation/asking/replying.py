"""One reply after the other in one place: asked, graded, recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwq_gguf.chat.events import FinishReason, Responded, ThoughtEnded
from qwq_gguf.chat.messages import Message, ToolCall, ToolSpec
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.responder import Responder, Responding
from qwq_gguf.errors import EvaluationError, PromptTooLongError
from qwq_gguf.evaluation.asking.sample import Cell, Sample, Tokens
from qwq_gguf.evaluation.asking.tapping import Round, TappedPlace
from qwq_gguf.evaluation.grading import grade
from qwq_gguf.thinking import LoopDetector
from qwq_gguf.tools import tools_named

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.engine.protocols import Generates
    from qwq_gguf.evaluation.asking.plan import Wanted
    from qwq_gguf.evaluation.questions import Question
    from qwq_gguf.profiles import Profile

__all__ = ["Replier"]


@dataclass(frozen=True, slots=True)
class _Said:
    """A reply, whichever way it came."""

    thought: str
    answer: str
    calls: tuple[ToolCall, ...]
    answered: bool
    thought_tokens: int
    reply_tokens: int
    prompt_tokens: int
    finish_reason: str
    thought_ended: str


class Replier:
    """Asks in one place for texts; from one thread, but for `interrupt`.

    Conversations and responders are made once for each cell and set of tools.
    """

    def __init__(
        self,
        model: Model,
        profiles: Mapping[Cell, Profile],
        place: Generates,
        *,
        time: Callable[[], float],
        done: Callable[[float], float],
        max_tokens: int | None = None,
        traces: bool = False,
    ) -> None:
        """`time` is called as a reply begins, and `done` with what it said as it ends, for the
        seconds of the record. `max_tokens` bounds thought and answer together.
        """
        self._model = model
        self._profiles = profiles
        self._place = TappedPlace(place)
        self._time, self._done = time, done
        self._max_tokens = max_tokens
        self._traces = traces
        self._conversations: dict[tuple[Cell, tuple[str, ...]], Conversation] = {}
        self._responders: dict[Cell, Responder] = {}
        self._running: Conversation | Responding | None = None

    def interrupt(self) -> None:
        """End the running reply; from any thread."""
        running = self._running
        if isinstance(running, Conversation):
            running.interrupt()
        elif running is not None:
            running.cancel()

    def reply(self, wanted: Wanted) -> Sample:
        """Ask for this one and grade it. A question that does not fit the context has no answer."""
        self._place.forget_rounds()
        begun = self._time()
        try:
            said = self._ask(wanted)
        except PromptTooLongError:
            said = _no_room()
        finally:
            self._running = None
            seconds = self._done(begun)
        rounds = self._place.rounds
        question = wanted.question
        judged = grade(question, said.answer, said.calls)
        return Sample(
            model=wanted.cell.model,
            profile=wanted.cell.profile,
            governor=wanted.cell.governor,
            key=question.key,
            skill=question.skill,
            sample=wanted.sample,
            seed=wanted.seed,
            right=judged.right,
            found=judged.found,
            why=judged.why,
            answered=said.answered,
            looped=any(map(self._loops, rounds))
            or "loop" in (said.thought_ended, said.finish_reason),
            thought_tokens=said.thought_tokens,
            reply_tokens=said.reply_tokens,
            prompt_tokens=said.prompt_tokens,
            calls=len(said.calls),
            thought_ended=said.thought_ended,
            finish_reason=said.finish_reason,
            seconds=seconds,
            thought=said.thought,
            answer=said.answer,
            tokens=_tokens(rounds) if self._traces else None,
        )

    def _loops(self, one: Round) -> bool:
        detector, piece = LoopDetector(), self._model.piece
        return any(
            detector.feed(token, ends_line=b"\n" in piece(token)) is not None for token in one.reply
        )

    def _ask(self, wanted: Wanted) -> _Said:
        if wanted.question.functions:
            return self._call(wanted.question, wanted.cell, wanted.seed)
        return self._converse(wanted.question, wanted.cell, wanted.seed)

    def _converse(self, question: Question, cell: Cell, seed: int) -> _Said:
        """With its tools, which are run, as in a chat."""
        conversation = self._conversation(cell, question.tools)
        conversation.clear()
        conversation.set_system(question.system)
        conversation.set_seed(seed)
        self._running = conversation
        reply = conversation.ask(question.text)
        return _Said(
            reply.thinking,
            reply.answer,
            reply.tool_calls,
            bool(reply.answer.strip()),
            reply.thinking_tokens,
            reply.thinking_tokens + reply.answer_tokens,
            reply.prompt_tokens,
            str(reply.finish_reason),
            str(reply.thought_ended),
        )

    def _call(self, question: Question, cell: Cell, seed: int) -> _Said:
        """With functions that nobody runs: which calls were made is the answer."""
        if question.tools:
            raise EvaluationError(
                "a question has tools or functions, not both", found=question.key[:100]
            )
        if cell not in self._responders:
            profile = self._profiles[cell]
            self._responders[cell] = Responder(self._model, profile, session=self._place)
        messages = [Message("user", question.text)]
        if question.system:
            messages.insert(0, Message("system", question.system))
        specs = [_spec(function, question.key) for function in question.functions]
        responding = self._responders[cell].respond(
            messages, specs, seed=seed, max_tokens=self._max_tokens
        )
        self._running = responding
        for event in responding:
            if isinstance(event, Responded):
                said = event.response
        return _Said(
            said.thinking,
            said.answer,
            said.calls,
            bool(said.answer.strip() or said.calls),
            said.thinking_tokens,
            said.thinking_tokens + said.answer_tokens,
            said.prompt_tokens,
            str(said.finish_reason),
            str(said.thought_ended),
        )

    def _conversation(self, cell: Cell, tools: tuple[str, ...]) -> Conversation:
        key = (cell, tools)
        if key not in self._conversations:
            self._conversations[key] = Conversation(
                self._model,
                self._profiles[cell],
                tools=tools_named(tools),
                max_tokens=self._max_tokens,
                session=self._place,
            )
        return self._conversations[key]


def _no_room() -> _Said:
    reason, ended = str(FinishReason.CONTEXT), str(ThoughtEnded.NONE)
    return _Said("", "", (), answered=False, thought_tokens=0, reply_tokens=0, prompt_tokens=0,
                 finish_reason=reason, thought_ended=ended)  # fmt: skip


def _spec(function: Mapping[str, object], key: str) -> ToolSpec:
    """A function as a suite has it: its schema bare, or wrapped as `{"function": ...}`."""
    inner = function.get("function", function)
    if isinstance(inner, Mapping) and isinstance(inner.get("name"), str):
        parameters = inner.get("parameters")
        if isinstance(parameters, Mapping):
            return ToolSpec(inner["name"], str(inner.get("description", "")), parameters)
    raise EvaluationError("a function of this question has no name or no schema", found=key[:100])


def _tokens(rounds: Sequence[Round]) -> Tokens | None:
    return Tokens(rounds[-1].prompt, tuple(rounds[-1].reply)) if rounds else None
