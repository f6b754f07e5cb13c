"""A chat with a model: its history, and the tools that it calls."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.chat.events import (
    AnswerDelta,
    ChatEvent,
    Finished,
    FinishReason,
    Note,
    Reply,
    Responded,
    Response,
    TokenOdds,
)
from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.rounds import as_final, no_room, one_reply, said_by_tools, tokens_of
from qwq_gguf.chat.turns import Turns
from qwq_gguf.engine.one_reader import OneReader
from qwq_gguf.engine.protocols import Generates
from qwq_gguf.engine.replies.closing import OPENER
from qwq_gguf.engine.responder import Responder, Responding
from qwq_gguf.engine.saving.chats import load_chat, save_chat
from qwq_gguf.engine.saving.file import SavedChat
from qwq_gguf.engine.saving.made_with import MadeWith
from qwq_gguf.engine.session import PromptProgress
from qwq_gguf.engine.tool_rounds import ToolRounds
from qwq_gguf.errors import PromptTooLongError
from qwq_gguf.sampling.seeds import Seeds, round_seed

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.profiles import Profile
    from qwq_gguf.tools import Tool

__all__ = ["Conversation"]

_TOOL_ROUNDS = 8


class Conversation:
    """Turns with one model under one profile: a `Responder` with history and tools.

    Thoughts of earlier turns are not sent again (the profile's history policy), and the
    KV cache is computed anew only from where a prompt differs from the last one. When the
    context is full, the oldest turns are no longer sent (`chat.sent_turns`). Use it from one
    thread; `interrupt` and `answer_now` may come from any, or from a signal handler.
    """

    def __init__(
        self,
        model: Model,
        profile: Profile,
        *,
        tools: Sequence[Tool] = (),
        system: str | None = None,
        seed: int | None = None,
        max_tokens: int | None = None,
        tool_rounds: int = _TOOL_ROUNDS,
        template_variables: Mapping[str, Any] | None = None,
        session: Generates | None = None,
        on_prompt: PromptProgress | None = None,
    ) -> None:
        """Prepare a chat; nothing is computed yet.

        With a `seed` the n-th reply has the seed `seed + n`, else each draws its own.
        `max_tokens` bounds a reply over all its rounds of tools, of which there are at
        most `tool_rounds`. `template_variables` are given to the chat template besides.
        `session` shares a KV cache between conversations.

        ModelError when the model has no chat template, or none that knows tools;
        ChainError for tools beside a grammar, or a logit bias of a token that the model
        lacks; TemplateError when the template is malformed.
        """
        self.responder = Responder(
            model,
            profile,
            template_variables=template_variables,
            session=session,
            on_prompt=on_prompt,
        )
        self.model = model
        self.profile = self.responder.profile
        self.thoughts = self.responder.thoughts
        self._tools = {tool.spec.name: tool for tool in tools}
        self._specs = tuple(tool.spec for tool in self._tools.values())
        self.responder.check_tools(self._specs)
        self._turns = Turns(system)
        self._seeds = Seeds(seed)
        #: The most tokens of a reply over all its rounds of tools; None: what the context holds.
        self.max_tokens = max_tokens
        self._tool_rounds = tool_rounds
        self._interrupted = False
        self._responding: Responding | None = None

    @property
    def messages(self) -> tuple[Message, ...]:
        """The turns so far, thoughts included, and those that are not sent any more."""
        return self._turns.messages

    @property
    def context_size(self) -> int:
        """Tokens that the context holds."""
        return self.responder.session.context_size

    @property
    def used_tokens(self) -> int:
        """Tokens of the context in use after the last reply."""
        return self.responder.session.cached_tokens

    def ask(self, text: str) -> Reply:
        """Say something and wait for the whole reply; see `stream` for the errors."""
        for event in self.stream(text):
            if isinstance(event, Finished):
                return event.reply
        raise AssertionError("a stream ends with Finished")  # for the type checker

    def stream(self, text: str) -> Iterator[ChatEvent]:
        """Say something and follow the reply: deltas and tool events, then `Finished`.

        A reply without an answer (interrupted, or no room left) is not remembered, nor is
        its question. PromptTooLongError when the question alone does not fit the context.
        """
        return OneReader(self._take_turn(text), "this reply")

    def prompt_tokens(self, text: str) -> list[int]:
        """What the model would read if this were asked: history, question, opened thought."""
        messages = self._turns.sent_with([Message("user", text)])
        return self.model.encode(self.responder.render(messages, self._specs).segments)

    def interrupt(self) -> None:
        """End the running reply with its next token, a prompt's computation at once."""
        self._interrupted = True
        if self._responding is not None:
            self._responding.cancel()

    def answer_now(self) -> None:
        """Close the open thought of the running reply with its next token, and let it answer.

        Nothing outside a thought. From any thread, or a signal handler.
        """
        if self._responding is not None:
            self._responding.answer_now()

    def clear(self) -> None:
        """Forget all turns; system prompt and tools stay."""
        self._turns.clear()

    def save_state(self, path: str | Path, *, force: bool = False) -> None:
        """Write the turns and what was computed of them, for `load_state`; not while one replies.

        The file is there whole or not at all, for its owner alone; `force` replaces one.
        OutputError.
        """
        chat = SavedChat(self.messages, self._turns.left_out, self._seeds.taken, self._made_with())
        save_chat(Path(path), chat, self.responder.session, force=force)

    def load_state(self, path: str | Path) -> str | None:
        """Go on with a chat that was saved, in the place of the turns so far.

        The system prompt stays where there is one. Returns why only the messages were taken, so
        that the next question computes all of them: another model, library or kind of context,
        or a file that this user has not saved on this computer. None if all was.

        ModelError for what is no saved chat; then all is as it was.
        """
        session = self.responder.session
        chat, why = load_chat(Path(path), self._made_with(), session, context=session.context_size)
        self._turns.resume(chat.messages, left_out=chat.left_out, keep_system=True)
        self._seeds.taken = chat.asked
        return why

    def _made_with(self) -> MadeWith:
        settings = getattr(self.responder.session, "settings", None)
        return MadeWith.of(self.model, settings)

    def undo(self) -> str | None:
        """Forget the last question and all that came of it; the question, None without one."""
        return self._turns.undo()

    def resume(self, messages: Sequence[Message]) -> None:
        """Go on from these turns, as `messages` gives them, in the place of those so far.

        A system turn in front replaces the system prompt; without one there is none.
        """
        self._turns.resume(messages)

    def set_system(self, text: str | None) -> None:
        """Another system prompt from the next turn on, or none."""
        self._turns.set_system(text)

    def set_profile(
        self, profile: Profile, template_variables: Mapping[str, Any] | None = None
    ) -> None:
        """Another profile from the next turn on; what was said stays, and its KV cache.

        ChainError as for a new conversation; then all is as it was.
        """
        responder = self.responder.under(profile, template_variables)
        responder.check_tools(self._specs)
        self.responder = responder
        self.profile, self.thoughts = responder.profile, responder.thoughts

    def set_tools(self, tools: Sequence[Tool]) -> None:
        """Other tools from the next turn on. ModelError, ChainError as for a new conversation."""
        named = {tool.spec.name: tool for tool in tools}
        specs = tuple(tool.spec for tool in named.values())
        self.responder.check_tools(specs)
        self._tools, self._specs = named, specs

    def set_seed(self, seed: int | None) -> None:
        """The seed of the next reply, later ones counting on from it; None: one is drawn."""
        self._seeds = Seeds(seed)

    def close(self) -> None:
        """Free the KV cache, unless it is shared."""
        self.responder.close()

    def _take_turn(self, text: str) -> Generator[ChatEvent, None, None]:
        self._interrupted = False
        seed = self._seeds.take()
        turn = [Message("user", text)]
        rounds: list[Response] = []
        tools = ToolRounds(self._tools, self._tool_rounds, lambda: self._interrupted)
        while True:
            if tools.last and not self._interrupted:
                yield Note(tools.why)
            last = yield from self._respond(
                turn, round_seed(seed, len(rounds)), rounds, may_call=not tools.last
            )
            rounds.append(last)
            reason = last.finish_reason
            wants = bool(last.calls or last.unread) and reason is FinishReason.STOP
            if tools.last or not wants:
                break
            said = last.answer if last.calls else last.written
            turn.append(Message("assistant", said, last.calls, thinking=last.thinking))
            yield from tools.run(last, turn)
        if tools.last and reason is FinishReason.STOP:
            reason = FinishReason.TOOL_LIMIT
        if (more := self._missing_answer(rounds, tools)) is not None:
            yield AnswerDelta(more)
            last = rounds[-1] = replace(last, answer=last.answer + more)
        reply = one_reply(rounds, reason, seed)
        if reply.answer:
            turn.append(Message("assistant", reply.answer, thinking=last.thinking))
            self._turns.add(turn)
        self._turns.ended(crowded=reason is FinishReason.CONTEXT)
        yield Finished(reply)

    def _missing_answer(self, rounds: Sequence[Response], tools: ToolRounds) -> str | None:
        """What is to be added where the model has called tools and says nothing; else None."""
        last = rounds[-1]
        if not self.profile.governor.answers or last.finish_reason is FinishReason.INTERRUPTED:
            return None
        if not (self._specs and (tools.last or any(each.calls or each.unread for each in rounds))):
            return None
        said = last.answer.strip()
        if said not in ("", OPENER):
            return None
        return f"{' ' if said else ''}{said_by_tools(tools.said)}"

    def _respond(
        self, turn: Sequence[Message], seed: int, rounds: Sequence[Response], *, may_call: bool
    ) -> Generator[ChatEvent, None, Response]:
        """One round's events; returns what came of it."""
        if rounds and self._interrupted:  # while a tool ran
            return no_room(FinishReason.INTERRUPTED, seed)
        left = None
        if self.max_tokens is not None:
            left = self.max_tokens - sum(map(tokens_of, rounds))
            if left < 1:
                return no_room(FinishReason.LENGTH, seed)
        yield from self._make_room(turn)
        try:
            said = turn if may_call else as_final(turn)
            messages = self._turns.sent_with(said)
            responding = self.responder.respond(
                messages, self._specs, seed=seed, max_tokens=left, may_call=may_call
            )
            self._responding = responding
            if self._interrupted:  # before there was anything to cancel
                responding.cancel()
            with closing(responding):
                for event in responding:
                    if isinstance(event, Responded):
                        return event.response
                    if not isinstance(event, TokenOdds):  # which nobody has asked for here
                        yield event
                    if (note := self._take_note()) is not None:
                        yield Note(note)
        except PromptTooLongError:
            if not rounds:
                raise
        return no_room(FinishReason.CONTEXT, seed)  # filled by what tools have said

    def _take_note(self) -> str | None:
        """Of the session, where it is one that says such things."""
        take: Callable[[], str | None] | None = getattr(self.responder.session, "take_note", None)
        return None if take is None else take()

    def _make_room(self, turn: Sequence[Message]) -> Iterator[Note]:
        """Leave out the oldest turns where the context is too full for a reply to this one."""
        more = self._turns.make_room(
            turn, self._length, context=self.context_size, max_tokens=self.max_tokens
        )
        if more:
            which = "the oldest turn is" if more == 1 else f"the {more} oldest turns are"
            yield Note(f"the context is full: {which} no longer sent to the model")

    def _length(self, messages: Sequence[Message]) -> int:
        prompt = self.responder.render(messages, self._specs)
        try:
            return len(self.model.encode(prompt.segments, self.context_size))
        except PromptTooLongError:
            return self.context_size + 1
