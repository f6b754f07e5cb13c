"""Does a chat template do what a reasoning model needs? Found out by asking it.

The template is rendered with marked texts, as in `qwq_gguf.exporters.chatml`, and one looks
where the marks come out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qwq_gguf.chat.messages import Message, ToolCall, ToolSpec
from qwq_gguf.chat.template import ChatTemplate, one_budget
from qwq_gguf.chat.tool_formats import HERMES
from qwq_gguf.errors import TemplateError
from qwq_gguf.thinking import NO_THOUGHT, ThoughtForm, ThoughtStart, read_form

__all__ = ["ANSWER", "CALL", "TOOL", "TemplateCheck", "ask_template", "check_template"]

ANSWER = "QanswerQ"
_QUESTION, _RESULT = "QquestionQ", "QresultQ"
TOOL = ToolSpec("qtoolq", "QdoesQ", {"type": "object", "properties": {"q": {"type": "string"}}})
CALL = ToolCall("qtoolq", {"q": "QargumentQ"})


@dataclass(frozen=True, slots=True)
class TemplateCheck:
    """What was found. `broken` says why a template cannot be used at all. `form` is what it
    does about thoughts. `tools` is None for a template that takes no notice of tools.
    """

    broken: str | None
    form: ThoughtForm = NO_THOUGHT
    tools: bool | None = None

    def lines(self, *, reasoner: bool = False) -> tuple[str, ...]:
        """What is not as it should be, a sentence each. Thoughts are looked at for a
        `reasoner`, which is known to think, and where the template says so.
        """
        if self.broken is not None:
            return (f"the chat template cannot be used: {self.broken}",)
        found = []
        form = self.form
        # With a switch, or asked for in words, a thought that the model opens is meant so.
        if reasoner and form.unset is ThoughtStart.FREE and not form.thinks:
            found.append(
                "the chat template's generation prompt does not open the thought: "
                "some runtimes will let the model answer without one"
            )
        if (reasoner or form.thinks) and form.tags is not None and not form.drops_history:
            found.append(
                "the chat template sends the thoughts of earlier turns again: "
                "the context fills up, and the model was not trained so"
            )
        if self.tools is None:
            found.append("the chat template takes no notice of tools")
        elif not self.tools:
            found.append(
                "the chat template loses tool calls or results: "
                "a tool's answer does not come back to the model as it should"
            )
        return tuple(found)


@one_budget()
def check_template(template: str, special_tokens: Mapping[str, str] | None = None) -> TemplateCheck:
    """Check a template in one budget; never raises.

    `special_tokens` (bos_token, ...) are what it may print.
    """
    try:
        compiled = ChatTemplate(template)
        prompt = compiled.render([Message("user", _QUESTION)], special_tokens=special_tokens).text
        if _QUESTION not in prompt:
            return TemplateCheck("what the user says is not in the prompt")
    except TemplateError as error:
        return TemplateCheck(error.message)
    return TemplateCheck(
        None, read_form(template, special_tokens), tools=_tools(compiled, special_tokens)
    )


def ask_template(
    compiled: ChatTemplate, answer: str, special_tokens: Mapping[str, str] | None = None
) -> str:
    """A prompt with one answered turn and another question. Raises TemplateError."""
    talk = [Message("user", _QUESTION), Message("assistant", answer), Message("user", "more")]
    return compiled.render(talk, special_tokens=special_tokens).text


def _tools(compiled: ChatTemplate, special_tokens: Mapping[str, str] | None) -> bool | None:
    ask = Message("user", _QUESTION)
    try:
        listed = compiled.render([ask], [TOOL], special_tokens=special_tokens).text
    except TemplateError:
        return False
    if TOOL.name not in listed:
        return None
    talk = [
        ask,
        Message("assistant", "", tool_calls=(CALL,)),
        Message("tool", _RESULT, name=TOOL.name),
    ]
    try:
        text = compiled.render(talk, [TOOL], special_tokens=special_tokens).text
    except TemplateError:
        return False
    return TOOL.description in listed and _comes_back(text) and _RESULT in text


def _comes_back(text: str) -> bool:
    """Whether the call can be read out of the prompt again, in the form of the model's family."""
    turn = text.rpartition(_QUESTION)[2].partition(_RESULT)[0]
    calls: Sequence[ToolCall] = HERMES.parse(turn).calls
    if calls:
        return list(calls) == [CALL]
    return CALL.name in turn and "QargumentQ" in turn  # another family's form
