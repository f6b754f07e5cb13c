"""Whether llama.cpp sees that a template is a thinking model's, and telling it where it does not.

llama.cpp tells thoughts from answers by what it finds out about the template
(common/chat-diff-analyzer.cpp): a thought that it hands over in `reasoning_content` is printed,
or the source, which then must not speak of `reasoning_content`, has the words of the first Qwen
and DeepSeek templates. Those words are looked for as text, so that
`(message.content or '').split('</think>')` is a plain model's to it: then no reply has
`reasoning_content`, and a budget for the thought does nothing. A switch alone does not show it
how a thought ends. A test asks a real llama-server about each of these.
"""

from __future__ import annotations

from collections.abc import Mapping

from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.template import ChatTemplate, one_budget
from qwq_gguf.chat.template_of_file import TEMPLATE_KEY, special_texts, template_of
from qwq_gguf.errors import TemplateError
from qwq_gguf.metadata import KeyValue, text
from qwq_gguf.preparation.renderings import renderings
from qwq_gguf.preparation.tokens import Repair
from qwq_gguf.thinking import ThinkingTags, read_form

__all__ = ["MISREAD", "is_misread", "remedy", "tell_llama_cpp"]

MISREAD = (
    "llama.cpp (llama-server, LM Studio, Ollama) does not see that this chat template's model "
    "thinks: its thoughts come as part of the answer, and a budget for them does nothing"
)
_WORDS = "content.split('</think>')"
_NOTE = "{# llama.cpp knows a thinking model's template by these words: " + _WORDS + " #}"
_FIELD = "reasoning_content"
_THOUGHT, _ANSWER = "QthoughtQ", "QanswerQ"
_ASK = Message("user", "QaskQ")


@one_budget()
def is_misread(template: str, special_tokens: Mapping[str, str] | None = None) -> bool:
    """Whether the template is of a model that thinks in the usual tags, unseen by llama.cpp."""
    form = read_form(template, special_tokens)
    if not form.can_think or form.tags != ThinkingTags():
        return False
    try:
        return not _is_seen(template, special_tokens or {})
    except TemplateError:
        return False


def remedy(template: str) -> str:
    """What to do about a template that is misread."""
    if _FIELD in template:
        return "another goes in with `qwq-gguf set FILE --chat-template JINJA`"
    return (
        f"save it (inspect --template), put {{# {_WORDS} #}} in front, "
        "and give it back with `qwq-gguf set FILE --chat-template JINJA`"
    )


def _is_seen(template: str, names: Mapping[str, str]) -> bool:
    if _FIELD not in template:
        return _WORDS in template
    said = Message("assistant", _ANSWER, thinking=_THOUGHT, thought_in=(_FIELD,))
    text = (
        ChatTemplate(template)
        .render(
            [_ASK, said],
            add_generation_prompt=False,
            special_tokens=names,
            variables={"enable_thinking": True},
        )
        .text
    )
    return "</think>" in text.partition(_THOUGHT)[2]


@one_budget()
def tell_llama_cpp(metadata: Mapping[str, KeyValue]) -> Repair | None:
    """The template with a comment that has the words looked for, None where that is not due.

    A comment prints nothing; still every prompt that was tried has to be the old one.
    """
    template, names = template_of(metadata), special_texts(metadata)
    if template is None or _FIELD in template or not is_misread(template, names):
        return None
    form = read_form(template, names)
    ways = [{}, form.variables(True), form.variables(False)]
    try:
        before = [renderings(template, names, way) for way in ways]
        # A line feed beside a comment may go with it, so there are two places to try.
        for changed in (_NOTE + template, template + _NOTE):
            if before == [renderings(changed, names, way) for way in ways]:
                return Repair(
                    (text(TEMPLATE_KEY, changed),),
                    "chat template: a comment tells llama.cpp that the model thinks; without it "
                    "llama-server leaves the thought in the answer, and bounds none",
                )
    except TemplateError:
        pass
    return None
