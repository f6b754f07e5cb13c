"""A chat with a model: history, thoughts, tools, and what each reply cost."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qwq_gguf.chat.events import (
    ChatEvent,
    Finished,
    FinishReason,
    Notice,
    Reply,
    ToolCallStarted,
    ToolResult,
)
from qwq_gguf.chat.history import without_thoughts
from qwq_gguf.chat.messages import Message, ToolCall
from qwq_gguf.chat.template import ChatTemplate, RenderedPrompt
from qwq_gguf.chat.tool_calls import ParsedAnswer, parse_tool_calls
from qwq_gguf.engine.governing import Governing
from qwq_gguf.engine.native_chain import MOST_SEED
from qwq_gguf.engine.native_stages import with_token_ids
from qwq_gguf.engine.reply import ReplyStream
from qwq_gguf.engine.session import PromptProgress, Session
from qwq_gguf.engine.tally import Tally
from qwq_gguf.errors import ChainError, ModelError, PromptTooLongError, ToolError
from qwq_gguf.profiles.thoughts import thoughts_of
from qwq_gguf.sampling import Grammar, LogitBias
from qwq_gguf.thinking import ThoughtSplitter, ThoughtStart, thought_start

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.profiles import Profile
    from qwq_gguf.tools import Tool

__all__ = ["Conversation"]

_TOOL_ROUNDS = 8


class Conversation:
    """Turns with one model under one profile.

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
        session: Session | None = None,
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
        source = model.chat_template
        if source is None:
            raise ModelError(
                "this model has no chat template, so it is not made for chats",
                path=model.path,
                hint="look for an instruct or reasoning version of it",
            )
        if tools and "tools" not in source:
            raise ModelError("this model's chat template has no place for tools", path=model.path)
        if tools and (grammar := profile.chain.stage(Grammar)) is not None and not grammar.off:
            raise ChainError("a grammar and tools exclude each other: it would forbid every call")
        self.model = model
        #: What becomes of thoughts: tags, switch, and how a prompt leaves the reply.
        self.thoughts = thoughts_of(model.metadata, profile, template_variables)
        self.profile = profile = replace(profile, thinking=self.thoughts.tags)
        self._chain = profile.chain
        if self._chain.stage(LogitBias) is not None:
            self._chain = with_token_ids(self._chain, model.vocabulary)
        self._template = ChatTemplate(source)
        self._tools = {tool.spec.name: tool for tool in tools}
        self._system = [Message("system", system)] if system else []
        self._history: list[Message] = []
        self._seed = seed
        self._turns = 0
        self._max_tokens = max_tokens
        self._tool_rounds = tool_rounds
        self._on_prompt = on_prompt
        self._owns_session = session is None
        self._session = Session(model) if session is None else session
        self._interrupted = False
        control = model.control_tokens
        self._stop_tokens = {control[stop] for stop in profile.stops if stop in control}
        self._stop_texts = tuple(stop for stop in profile.stops if stop not in control)
        tags = profile.thinking
        self._thought_token = model.token_id(tags.open) if self.thoughts.has_thoughts else None

    @property
    def messages(self) -> tuple[Message, ...]:
        """The turns so far, thoughts included."""
        return (*self._system, *self._history)

    @property
    def context_size(self) -> int:
        """Tokens that the context holds."""
        return self._session.context_size

    @property
    def used_tokens(self) -> int:
        """Tokens of the context in use after the last reply."""
        return self._session.cached_tokens

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
        self._interrupted = False
        seed = self._next_seed()
        turn = [Message("user", text)]
        thoughts: list[str] = []
        calls: list[ToolCall] = []
        tally = Tally()
        for number in range(self._tool_rounds + 1):
            prompt = self._render(turn)
            stream = self._stream(prompt)
            try:
                reason = yield from self._generate(prompt, stream, _round_seed(seed, number), tally)
            except PromptTooLongError:
                if number == 0:
                    raise
                reason = FinishReason.CONTEXT  # filled by what tools have said
            if stream.thinking:
                thoughts.append(stream.thinking)
            parsed = self._parse(stream.answer)
            if not (parsed.calls or parsed.errors) or reason is not FinishReason.STOP:
                break
            if number == self._tool_rounds:
                reason = FinishReason.TOOL_LIMIT
                break
            calls += parsed.calls
            turn.append(
                Message(
                    "assistant",
                    parsed.text if parsed.calls else stream.answer,
                    tool_calls=parsed.calls,
                    thinking=stream.thinking,
                )
            )
            yield from self._use_tools(parsed, turn)
        reply = Reply(
            thinking="\n\n".join(thoughts),
            answer=parsed.text,
            thinking_tokens=tally.thinking_tokens,
            answer_tokens=tally.answer_tokens,
            prompt_tokens=tally.prompt_tokens,
            finish_reason=reason,
            seed=seed,
            tokens_per_second=tally.tokens_per_second,
            tool_calls=tuple(calls),
        )
        if reply.answer:
            turn.append(Message("assistant", reply.answer, thinking=stream.thinking))
            self._history += turn
        yield Finished(reply)

    def prompt_tokens(self, text: str) -> list[int]:
        """What the model would read if this were asked: history, question, opened thought."""
        return self.model.encode(self._render([Message("user", text)]).segments)

    def interrupt(self) -> None:
        """End the running reply with its next token, a prompt's computation at once."""
        self._interrupted = True
        self._session.interrupt()

    def clear(self) -> None:
        """Forget all turns; system prompt and tools stay."""
        self._history.clear()

    def close(self) -> None:
        """Free the KV cache, unless it is shared."""
        if self._owns_session:
            self._session.close()

    def _next_seed(self) -> int:
        if self._seed is None:
            return secrets.randbelow(MOST_SEED + 1)
        seed = (self._seed + self._turns) % (MOST_SEED + 1)
        self._turns += 1
        return seed

    def _render(self, turn: Sequence[Message]) -> RenderedPrompt:
        messages: tuple[Message, ...] = (*self._system, *self._history, *turn)
        tags = self.profile.thinking
        if self.profile.template.history == "answers":
            messages = without_thoughts(messages, close=tags.close)
        else:
            messages = tuple(_with_thought(m, tags.open, tags.close) for m in messages)
        control = self.model.control_tokens
        prompt = self._template.render(
            messages,
            [tool.spec for tool in self._tools.values()],
            variables=self.thoughts.variables,
            special_tokens=self.model.special_tokens,
            control_tokens=control,
        )
        return self.thoughts.begin(prompt, control)

    def _stream(self, prompt: RenderedPrompt) -> ReplyStream:
        tags = self.profile.thinking
        start = thought_start(prompt, tags)
        splitter = ThoughtSplitter(
            tags.open,
            tags.close,
            starts_inside=start is ThoughtStart.OPENED,
            may_be_open=self.thoughts.has_thoughts and start is ThoughtStart.FREE,
            open_id=self.model.token_id(tags.open),
            close_id=self.model.token_id(tags.close),
        )
        return ReplyStream(splitter, stops=self._stop_texts, holds_tool_calls=bool(self._tools))

    def _generate(
        self, prompt: RenderedPrompt, stream: ReplyStream, seed: int, tally: Tally
    ) -> Generator[ChatEvent, None, FinishReason]:
        """One round; returns how it ended."""
        left = None if self._max_tokens is None else self._max_tokens - tally.tokens
        if left is not None and left < 1:
            return FinishReason.LENGTH
        generation = self._session.generate(
            self.model.encode(prompt.segments, most=self.context_size - 1),
            self._chain,
            seed=seed,
            max_tokens=left,
            stop_tokens=self._stop_tokens,
            in_thought=stream.in_thought,
            thought_token=self._thought_token,
            on_prompt=self._on_prompt,
        )
        if self._interrupted:  # before the generation was there to hear of it
            self._session.interrupt()
        tally.prompt_tokens = tally.prompt_tokens or generation.prompt_tokens
        with closing(generation):
            governing = Governing(self.model, self.profile)
            governing.begin(stream, generation)
            for token, piece in generation:
                thought = stream.in_thought
                yield from stream.feed(token, piece)
                if stream.stopped:
                    break
                if thought and not stream.in_thought:
                    generation.begin_answer()
                elif thought or stream.in_thought:
                    yield from governing.look(stream, generation)
        reason = FinishReason.STOP if stream.stopped else generation.finish_reason
        if reason is None:
            raise ModelError(
                "this reply was ended from elsewhere: its session began another one, or was closed",
                hint="read a reply to its end before the next question, or give each "
                "conversation a session of its own",
            )
        yield from stream.finish(turn_ended=reason is FinishReason.STOP)
        tally.add(stream, generation.seconds)
        return reason

    def _parse(self, answer: str) -> ParsedAnswer:
        return parse_tool_calls(answer) if self._tools else ParsedAnswer(answer, (), ())

    def _use_tools(self, parsed: ParsedAnswer, turn: list[Message]) -> Iterator[ChatEvent]:
        """Run the calls and let the model read results and errors."""
        for call in parsed.calls:
            yield ToolCallStarted(call)
            result = self._run_tool(call)
            yield result
            turn.append(Message("tool", result.content, name=call.name))
        for error in parsed.errors:
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


def _with_thought(message: Message, open: str, close: str) -> Message:
    if message.role != "assistant" or not message.thinking:
        return message
    content = f"{open}\n{message.thinking}\n{close}\n\n{message.content}"
    return Message("assistant", content, message.tool_calls, message.name)
