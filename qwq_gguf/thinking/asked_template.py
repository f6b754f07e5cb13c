"""A template, and the prompts that it made when it was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from qwq_gguf.chat.messages import Message, ToolCall
from qwq_gguf.chat.prompt import RenderedPrompt
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.errors import TemplateError
from qwq_gguf.thinking.form import SwitchValue

__all__ = ["ANSWER", "FIELDS", "THOUGHT", "Asked"]

# Texts that no template writes by itself.
QUESTION, THOUGHT, ANSWER = "QquestionQ", "QthoughtQ", "QanswerQ"
# Where templates look for the thought of a message: most; Gemma, Kimi K3, Solar; gpt-oss, LFM.
FIELDS = ("reasoning_content", "reasoning", "thinking")
_ASK = (Message("user", QUESTION),)
_CALL = ToolCall("lookup", {"word": "q"})
_Variables = Mapping[str, SwitchValue]


class Asked:
    """Asks a template once for each prompt. A prompt that it refuses is None, or no text."""

    def __init__(self, template: ChatTemplate, special_tokens: Mapping[str, str]) -> None:
        self.source = template.source
        self._template, self._special = template, special_tokens
        self._prompts: dict[object, RenderedPrompt | None] = {}

    def prompt(self, variables: _Variables) -> RenderedPrompt | None:
        """The prompt after one question."""
        return self._made(_ASK, variables)

    def told(self, system: str) -> RenderedPrompt | None:
        """The prompt after one question, behind a system's message."""
        return self._made((Message("system", system), *_ASK), {})

    def history(
        self,
        answer: str,
        thinking: str = "",
        *,
        fields: Iterable[str] = FIELDS,
        variables: _Variables | None = None,
    ) -> str:
        """A prompt in which something was answered before, with its thought in these fields."""
        said = Message("assistant", answer, thinking=thinking, thought_in=tuple(fields))
        return self._text((*_ASK, said, Message("user", "more")), variables)

    def within_turn(self, field: str, variables: _Variables | None = None) -> str:
        """A prompt after a call that was thought about, and its result."""
        call = Message("assistant", "", tool_calls=(_CALL,), thinking=THOUGHT, thought_in=(field,))
        return self._text((*_ASK, call, Message("tool", "result", name=_CALL.name)), variables)

    def _text(self, talk: Sequence[Message], variables: _Variables | None) -> str:
        made = self._made(talk, variables or {})
        return "" if made is None else made.text

    def _made(self, talk: Sequence[Message], variables: _Variables) -> RenderedPrompt | None:
        key = (tuple(map(repr, talk)), tuple(variables.items()))
        if key not in self._prompts:
            try:
                made: RenderedPrompt | None = self._template.render(
                    talk, variables=variables, special_tokens=self._special
                )
            except TemplateError:
                made = None
            self._prompts[key] = made
        return self._prompts[key]
