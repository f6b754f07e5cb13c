"""A model and a session that say what a test wants, to test what is built on them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from qwq_gguf.chat.events import FinishReason, ResponseEvent
from qwq_gguf.chat.template import Segment
from qwq_gguf.engine.replies import ReplyDriver, Steered
from qwq_gguf.engine.session import Generated
from qwq_gguf.errors import PromptTooLongError
from qwq_gguf.metadata import text
from qwq_gguf.sampling import SamplerChain

__all__ = ["QWQ_TEMPLATE", "ScriptedModel", "ScriptedSession"]

# The parts of QwQ's template that a conversation depends on, in few words.
QWQ_TEMPLATE = (
    "{%- if tools %}{{- '<|im_start|>system\\n' }}"
    "{%- for tool in tools %}{{- tool | tojson }}{%- endfor %}{{- '<|im_end|>\\n' }}{%- endif %}"
    "{%- for message in messages %}"
    "{%- if message.role == 'tool' %}"
    "{{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response>'"
    " + '<|im_end|>\\n' }}"
    "{%- else %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content }}"
    "{%- for call in message.tool_calls %}"
    "{{- '\\n<tool_call>\\n' + (call.function | tojson) + '\\n</tool_call>' }}"
    "{%- endfor %}"
    "{{- '<|im_end|>\\n' }}"
    "{%- endif %}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<think>\\n' }}{%- endif %}"
)
CONTROL = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>")


class ScriptedModel:
    """As much of a Model as a Conversation uses. A character is a token."""

    def __init__(self, template: str | None = QWQ_TEMPLATE, name: str = "Scripted") -> None:
        self.path = Path("scripted.gguf")
        self.name = name
        said = {"general.name": name, "tokenizer.chat_template": template}
        self.metadata = {key: text(key, value) for key, value in said.items() if value is not None}
        self.chat_template = template
        self.control_tokens: Mapping[str, int] = {
            text: 1_200_000 + index for index, text in enumerate(CONTROL)
        }
        self.special_tokens: Mapping[str, str] = {"eos_token": "<|im_end|>"}

    @property
    def vocabulary(self) -> ScriptedModel:
        return self

    def encode_text(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def blank_tokens(self) -> frozenset[int]:
        return frozenset({*map(ord, " \t\r\n"), *self.control_tokens.values()})

    def beginning_tokens(self, texts: tuple[str, ...]) -> frozenset[int]:
        return frozenset(ord(text[0]) for text in texts)

    def token_id(self, text: str) -> int | None:
        return self.control_tokens.get(text)

    def encode(self, segments: Iterable[Segment], most: int | None = None) -> list[int]:
        tokens: list[int] = []
        for segment in segments:
            if segment.control:
                tokens.append(self.control_tokens[segment.text])
            else:
                tokens += map(ord, segment.text)
        return tokens

    def decode(self, tokens: Sequence[int]) -> str:
        names = {token: text for text, token in self.control_tokens.items()}
        return "".join(names.get(token) or chr(token) for token in tokens)


class ScriptedGeneration:
    speculated = None

    def __init__(self, session: ScriptedSession, prompt: int, tokens: list[int], most: int) -> None:
        self.prompt_tokens = prompt
        self.seconds = 0.5
        self.reused_tokens = 0
        self.finish_reason: FinishReason | None = None
        self.closed = False
        self.answers_began = 0
        self.expected: tuple[int | None, bool] | None = None
        self._session = session
        self._tokens = deque(tokens)
        self._forced: deque[int] = deque()
        self._forbidden: set[int] = set()
        self._goes_on: Callable[[int], bool] | None = None
        self.tokens = 0
        self.room = min(most, session.context_size - prompt)
        self.biases: list[Mapping[int, float]] = []
        self._most = most

    def __iter__(self) -> Iterator[Generated]:
        model = self._session.model
        while (token := self._next()) is not None:
            if self.closed:
                return
            if self._session.interrupted:
                self.finish_reason = FinishReason.INTERRUPTED
                return
            if self.tokens >= self._most:
                self.finish_reason = FinishReason.LENGTH
                return
            self.tokens += 1
            yield Generated(token, model.decode([token]).encode())
        self.finish_reason = self._session.ends_with

    def _next(self) -> int | None:
        """The next token of the script that is not forbidden; what is forced comes first."""
        if self._forced:
            return self._forced.popleft()
        while self._tokens and self._tokens[0] in self._forbidden:
            self._tokens.popleft()
        if self._tokens:
            return self._tokens.popleft()
        end = self._session.model.control_tokens["<|im_end|>"]
        if self._session.ends_with is not FinishReason.STOP:
            return None
        if end in self._forbidden:
            return self._session.last_resort
        if self._goes_on is None or not self._goes_on(end):
            return None
        return self._next()

    def takes(self, tokens: Sequence[int]) -> bool:
        raise NotImplementedError("it has no grammar")

    def force(self, tokens: Sequence[int]) -> None:
        self._forced.extend(tokens)

    def forbid(self, tokens: Collection[int]) -> None:
        self._forbidden = set(tokens)

    def bias(self, biases: Mapping[int, float]) -> None:
        self.biases.append(biases)

    def before_pick(self, look: object) -> None:
        assert look is None, "it has no logits to show"

    def before_stop(self, goes_on: Callable[[int], bool] | None) -> None:
        self._goes_on = goes_on

    def expect_thought(self, token: int | None, *, begun: bool) -> None:
        self.expected = token, begun

    def interrupt(self) -> None:
        self._session.interrupt()

    def begin_answer(self) -> None:
        self.answers_began += 1

    def drive(self, reply: ReplyDriver) -> Iterator[ResponseEvent]:
        reply.begin(cast(Steered, self))
        for token, piece in self:
            yield from reply.feed(token, piece)
            if reply.done:
                break

    def close(self) -> None:
        self.closed = True


class ScriptedSession:
    """Answers each prompt with the next of `replies`; `prompts` has what it was asked."""

    def __init__(self, model: ScriptedModel, replies: Sequence[str]) -> None:
        self.model = model
        self.replies = list(replies)
        self.prompts: list[str] = []
        self.options: list[dict[str, Any]] = []
        self.generations: list[ScriptedGeneration] = []
        self.ends_with = FinishReason.STOP
        self.last_resort: int | None = None  # what it says when it may not end
        self.interrupted = False
        self.context_size = 4096
        self.cached_tokens = 0

    def generate(
        self,
        prompt: Sequence[int],
        chain: SamplerChain,
        *,
        seed: int,
        max_tokens: int | None = None,
        stop_tokens: Collection[int] = (),
        **others: Any,
    ) -> ScriptedGeneration:
        if len(prompt) >= self.context_size:
            raise PromptTooLongError("the prompt does not fit the context")
        self.interrupted = False
        self.prompts.append(self.model.decode(prompt))
        self.options.append(
            {"seed": seed, "max_tokens": max_tokens, "stops": set(stop_tokens)} | others
        )
        tokens: list[int] = []
        rest = self.replies.pop(0)
        while rest:
            tag = next((text for text in CONTROL if rest.startswith(text)), rest[0])
            tokens.append(self.model.control_tokens.get(tag) or ord(tag))
            rest = rest[len(tag) :]
        if self.generations:
            self.generations[-1].close()
        self.generations.append(ScriptedGeneration(self, len(prompt), tokens, max_tokens or 10**6))
        return self.generations[-1]

    def interrupt(self) -> None:
        self.interrupted = True

    def close(self) -> None:
        pass
