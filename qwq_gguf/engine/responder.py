"""Messages and tools in, events out: a model's answer to them, and nothing remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from qwq_gguf.chat.messages import Message, ToolSpec
from qwq_gguf.chat.template import ChatTemplate, RenderedPrompt, Segment
from qwq_gguf.chat.tool_formats import ToolUse, read_tool_use
from qwq_gguf.chat.tool_place import takes_tools
from qwq_gguf.engine.llama.native_stages import with_token_ids
from qwq_gguf.engine.marks import marked_tokens, opening_token
from qwq_gguf.engine.protocols import Generates, Generating
from qwq_gguf.engine.replies import Governing, ReplyDriver, ReplyStream
from qwq_gguf.engine.responding import Responding
from qwq_gguf.engine.session import PromptProgress, Session
from qwq_gguf.errors import ChainError, ModelError
from qwq_gguf.profiles.thoughts import thoughts_of
from qwq_gguf.sampling import Grammar, LogitBias
from qwq_gguf.sampling.seeds import new_seed
from qwq_gguf.thinking import Governor, Splitter, Thoughts, Unsplit, holds_thought

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.profiles import Profile

__all__ = ["Responder", "Responding"]


class Responder:
    """Answers lists of messages with one model under one profile.

    It keeps no history and runs no tool: it says which calls the model made. What prompts
    that begin alike have in common is computed once, as long as they come one after another.
    """

    def __init__(
        self,
        model: Model,
        profile: Profile,
        *,
        template_variables: Mapping[str, Any] | None = None,
        session: Generates | None = None,
        on_prompt: PromptProgress | None = None,
    ) -> None:
        """Nothing is computed yet. `session` shares a KV cache with others.

        `template_variables` are given to the chat template besides.

        ModelError when the model has no chat template; ChainError for a logit bias of a
        token that it lacks; TemplateError when the template is malformed.
        """
        source = model.chat_template
        if source is None:
            raise ModelError(
                "this model has no chat template, so it is not made for chats",
                path=model.path,
                hint="look for an instruct or reasoning version of it",
            )
        self.model = model
        self._template = ChatTemplate(source)
        self._on_prompt = on_prompt
        self._follow_profile(profile, template_variables)
        self._owns_session = session is None
        self.session: Generates = Session(model) if session is None else session

    def _follow_profile(
        self, profile: Profile, template_variables: Mapping[str, Any] | None
    ) -> None:
        model = self.model
        #: What becomes of thoughts: tags, switch, and how a prompt leaves the reply.
        self.thoughts = thoughts_of(model.metadata, profile, template_variables)
        self.profile = profile = replace(profile, thinking=self.thoughts.tags)
        self._chain = profile.chain
        if self._chain.stage(LogitBias) is not None:
            self._chain = with_token_ids(self._chain, model.vocabulary)
        control = model.control_tokens
        self._stop_tokens = {control[stop] for stop in profile.stops if stop in control}
        self._stop_texts = tuple(stop for stop in profile.stops if stop not in control)
        has_thoughts = self.thoughts.has_thoughts
        self._thought_token = opening_token(model, self.thoughts.tags) if has_thoughts else None

    def under(self, profile: Profile, template_variables: Mapping[str, Any] | None) -> Responder:
        """The same one, its KV cache too, under another profile; it takes this one's place.

        ChainError for a logit bias of a token that the model lacks.
        """
        other = copy(self)
        other._follow_profile(profile, template_variables)
        return other

    def on(self, session: Generates) -> Responder:
        """The same one with another place for its tokens, which stays whose it is."""
        other = copy(self)
        other.session, other._owns_session = session, False
        return other

    def check_tools(self, tools: Sequence[ToolSpec], *, calls_in_grammar: bool = False) -> None:
        """ModelError: the template has no place for tools. ChainError: beside another grammar."""
        if tools and not takes_tools(self._template, tools, self.model.special_tokens):
            raise ModelError(
                "this model's chat template has no place for tools", path=self.model.path
            )
        grammar = self.profile.chain.stage(Grammar)
        if tools and not calls_in_grammar and grammar is not None and not grammar.off:
            raise ChainError("a grammar and tools exclude each other: it would forbid every call")

    def respond(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec] = (),
        *,
        seed: int | None = None,
        max_tokens: int | None = None,
        stops: Sequence[str] = (),
        may_call: bool = True,
        odds: int | None = None,
        calls_in_grammar: bool = False,
    ) -> Responding:
        """The answer to these messages as events, computed as they are read.

        Without a `seed` one is drawn. `max_tokens` bounds thought and answer together. `stops`
        are texts that end the answer, beside those of the profile. Without `may_call` the model
        still reads of its tools, and is kept from calling any. With `odds` each token is told of
        (`TokenOdds`), with so many of the likeliest.

        PromptTooLongError when the messages do not fit the context; what `check_tools` says.
        """
        self.check_tools(tools, calls_in_grammar=calls_in_grammar)
        # A call in a channel is no part of an answer, so the grammar begins the messages itself.
        begun = self.thoughts.tags.channels is None or not calls_in_grammar
        prompt = self._render(self.thoughts, messages, tools, begun=begun)
        size, governor = self.session.context_size, self.profile.governor
        tokens = self.model.encode(prompt.segments, most=size - 1)
        room = size - len(tokens) if max_tokens is None else min(max_tokens, size - len(tokens))
        splitter = self.thoughts.splitter(prompt, self.model.token_id, spelled=not begun)
        if self._too_short_for_thought(room, splitter):
            thoughts = replace(self.thoughts, wanted=False)
            prompt = self._render(thoughts, messages, tools)
            tokens = self.model.encode(prompt.segments, most=size - 1)
            splitter = thoughts.splitter(prompt, self.model.token_id)
            governor = replace(governor, budget=0)
        tool_format = self.tool_use.format.knowing(tools) if tools else None
        stream = ReplyStream(
            splitter, stops=self._stop_texts, answer_stops=stops, tool_format=tool_format
        )
        seed = new_seed() if seed is None else seed
        governing = Governing(
            self.model,
            replace(self.profile, governor=governor),
            no_calls=None if may_call else tool_format,
        )
        return Responding(
            partial(self._begin, tokens, stream, seed, max_tokens),
            ReplyDriver(stream, governing, seed=seed, odds=self._odds(odds)),
        )

    def _too_short_for_thought(self, room: int, splitter: Splitter) -> bool:
        """Whether an answer has to come at once, in the place of a thought that may come."""
        thoughts, grammar = self.thoughts, self._chain.stage(Grammar)
        if not thoughts.has_thoughts or thoughts.mode is False or not self.profile.governor.reserve:
            return False
        if grammar is not None and not grammar.off and grammar.scope == "reply":
            return False
        closing = len(marked_tokens(self.model, splitter.closing_text)) + 1
        return not holds_thought(room, closing)

    def go_on(
        self,
        text: str | Sequence[int],
        *,
        seed: int | None = None,
        max_tokens: int | None = None,
        stops: Sequence[str] = (),
        odds: int | None = None,
    ) -> Responding:
        """What follows a text, or tokens, without any template; see `respond`.

        Nothing is told apart in it, so it is all answer, and nothing is forced into it. Control
        tokens that are written out stay text; among tokens they are what they are.

        PromptTooLongError; ModelError for no token of the model's, or none at all.
        """
        most = self.session.context_size - 1
        if isinstance(text, str):
            tokens = self.model.encode((Segment(text, control=False),), most=most)
        else:
            tokens = list(text)
            size = self.model.vocabulary.size
            if any(not 0 <= token < size for token in tokens):
                raise ModelError("a token is none of this model's", expected=f"0 to {size - 1}")
        if not tokens:
            raise ModelError("there is no text to go on with")
        stream = ReplyStream(Unsplit(), stops=(*self._stop_texts, *stops))
        seed = new_seed() if seed is None else seed
        free = Governor(answers=False, reserve=0, loops=self.profile.governor.loops)
        governing = Governing(self.model, replace(self.profile, governor=free))
        return Responding(
            partial(self._begin, tokens, stream, seed, max_tokens, thinks=False),
            ReplyDriver(stream, governing, seed=seed, odds=self._odds(odds)),
        )

    @cached_property
    def tool_use(self) -> ToolUse:
        """How the model calls tools, by its template."""
        return read_tool_use(self._template.source, self.model.special_tokens)

    def render(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> RenderedPrompt:
        """The prompt, up to a thought that it opens or closes."""
        return self._render(self.thoughts, messages, tools)

    def _render(
        self,
        thoughts: Thoughts,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        *,
        begun: bool = True,
    ) -> RenderedPrompt:
        control = self.model.control_tokens
        messages = thoughts.told(thoughts.earlier(messages))
        if any(message.tool_calls or message.role == "tool" for message in messages):
            messages = self.tool_use.shaped(messages)
        prompt = self._template.render(
            messages,
            tools,
            variables=thoughts.variables,
            special_tokens=self.model.special_tokens,
            control_tokens=control,
        )
        return thoughts.begin(prompt, control) if begun else prompt

    def close(self) -> None:
        """Free the KV cache, unless it is shared."""
        if self._owns_session:
            self.session.close()

    def _odds(self, best: int | None) -> tuple[int, Callable[[int], bytes]] | None:
        return None if best is None else (best, self.model.piece)

    def _begin(
        self,
        tokens: Sequence[int],
        stream: ReplyStream,
        seed: int,
        most: int | None,
        *,
        thinks: bool = True,
    ) -> Generating:
        generation = self.session.generate(
            tokens,
            self._chain,
            seed=seed,
            max_tokens=most,
            stop_tokens=self._stop_tokens,
            on_prompt=self._on_prompt,
        )
        if thinks:
            generation.expect_thought(self._thought_token, begun=stream.in_thought)
        return generation
