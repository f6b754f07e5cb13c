"""A chat with a model: its history, and the tools that it calls."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from qwq_gguf.chat.events import (
    ChatEvent,
    Finished,
    FinishReason,
    Notice,
    Reply,
    Responded,
    Response,
    ThoughtEnded,
    ToolCallStarted,
    ToolResult,
)
from qwq_gguf.chat.messages import Message, ToolCall
from qwq_gguf.engine.generating import Generates
from qwq_gguf.engine.llama.native_chain import MOST_SEED
from qwq_gguf.engine.one_reader import OneReader
from qwq_gguf.engine.responder import Responder, Responding, new_seed
from qwq_gguf.engine.session import PromptProgress
from qwq_gguf.errors import PromptTooLongError, ToolError

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.profiles import Profile
    from qwq_gguf.tools import Tool

__all__ = ["Conversation"]

_TOOL_ROUNDS = 8


class Conversation:
    """Turns with one model under one profile: a `Responder` with history and tools.

    Thoughts of earlier turns are not sent again (the profile's history policy), and the
    KV cache is computed anew only from where a prompt differs from the last one. Use it
    from one thread; `interrupt` may come from any, or from a signal handler.
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
        self._system = [Message("system", system)] if system else []
        self._history: list[Message] = []
        self._seed = seed
        self._turns = 0
        self._max_tokens = max_tokens
        self._tool_rounds = tool_rounds
        self._interrupted = False
        self._responding: Responding | None = None

    @property
    def messages(self) -> tuple[Message, ...]:
        """The turns so far, thoughts included."""
        return (*self._system, *self._history)

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
        its question. PromptTooLongError when the conversation does not fit the context.
        """
        return OneReader(self._take_turn(text), "this reply")

    def prompt_tokens(self, text: str) -> list[int]:
        """What the model would read if this were asked: history, question, opened thought."""
        prompt = self.responder.render((*self.messages, Message("user", text)), self._specs)
        return self.model.encode(prompt.segments)

    def interrupt(self) -> None:
        """End the running reply with its next token, a prompt's computation at once."""
        self._interrupted = True
        if self._responding is not None:
            self._responding.cancel()

    def clear(self) -> None:
        """Forget all turns; system prompt and tools stay."""
        self._history.clear()

    def close(self) -> None:
        """Free the KV cache, unless it is shared."""
        self.responder.close()

    def _take_turn(self, text: str) -> Generator[ChatEvent, None, None]:
        self._interrupted = False
        seed = self._next_seed()
        turn = [Message("user", text)]
        rounds: list[Response] = []
        while True:
            last = yield from self._respond(turn, _round_seed(seed, len(rounds)), rounds)
            rounds.append(last)
            reason = last.finish_reason
            if not (last.calls or last.unread) or reason is not FinishReason.STOP:
                break
            if len(rounds) > self._tool_rounds:
                reason = FinishReason.TOOL_LIMIT
                break
            said = last.answer if last.calls else last.written
            turn.append(Message("assistant", said, last.calls, thinking=last.thinking))
            yield from self._use_tools(last, turn)
        reply = _reply(rounds, reason, seed)
        if reply.answer:
            turn.append(Message("assistant", reply.answer, thinking=last.thinking))
            self._history += turn
        yield Finished(reply)

    def _respond(
        self, turn: Sequence[Message], seed: int, rounds: Sequence[Response]
    ) -> Generator[ChatEvent, None, Response]:
        """One round's events; returns what came of it."""
        left = None
        if self._max_tokens is not None:
            left = self._max_tokens - sum(map(_tokens, rounds))
            if left < 1:
                return _nothing(FinishReason.LENGTH, seed)
        try:
            messages = (*self.messages, *turn)
            responding = self.responder.respond(messages, self._specs, seed=seed, max_tokens=left)
            self._responding = responding
            if self._interrupted:  # before there was anything to cancel
                responding.cancel()
            with closing(responding):
                for event in responding:
                    if isinstance(event, Responded):
                        return event.response
                    yield event
        except PromptTooLongError:
            if not rounds:
                raise
        return _nothing(FinishReason.CONTEXT, seed)  # filled by what tools have said

    def _next_seed(self) -> int:
        if self._seed is None:
            return new_seed()
        seed = (self._seed + self._turns) % (MOST_SEED + 1)
        self._turns += 1
        return seed

    def _use_tools(self, response: Response, turn: list[Message]) -> Iterator[ChatEvent]:
        """Run the calls and let the model read results and errors."""
        for call in response.calls:
            yield ToolCallStarted(call)
            result = self._run_tool(call)
            yield result
            turn.append(Message("tool", result.content, name=call.name))
        for error in response.unread:
            yield Notice(f"a tool call could not be read: {error}")
            turn.append(Message("tool", f"error: {error}"))

    def _run_tool(self, call: ToolCall) -> ToolResult:
        tool = self._tools.get(call.name)
        if tool is None:
            known = ", ".join(self._tools)
            message = f"error: there is no tool {call.name[:100]}; there are: {known}"
            return ToolResult(call, message, failed=True)
        try:
            return ToolResult(call, tool.run(call.arguments))
        except ToolError as error:
            return ToolResult(call, f"error: {error.message}", failed=True)
        except Exception as error:  # a stranger's tool: its bug must not end the chat
            return ToolResult(call, f"error: the tool failed ({type(error).__name__})", failed=True)


def _round_seed(seed: int, number: int) -> int:
    """Another seed for each round of tools, the reply's own for the first."""
    return (seed + number * 0x9E3779B9) % (MOST_SEED + 1)


def _tokens(response: Response) -> int:
    return response.thinking_tokens + response.answer_tokens


def _nothing(reason: FinishReason, seed: int) -> Response:
    """A round for which there was no room."""
    return Response("", "", "", (), (), 0, 0, 0, seed, 0.0, reason, ThoughtEnded.NONE)


def _reply(rounds: Sequence[Response], reason: FinishReason, seed: int) -> Reply:
    """All rounds of one turn as one reply; the calls of the last one were not run."""
    endings = [each.thought_ended for each in rounds]
    thoughts = [ending for ending in endings if ending is not ThoughtEnded.NONE]
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
        tokens_per_second=sum(map(_tokens, rounds)) / seconds if seconds > 0 else 0.0,
        tool_calls=tuple(call for each in rounds[:-1] for call in each.calls),
    )
