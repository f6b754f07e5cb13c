"""When a generation prompt that does not open the thought is put right, and when not."""

from __future__ import annotations

import pytest

from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.metadata import KeyValue, ValueType, array, text, u32
from qwq_gguf.preparation.thought_opening import open_thought
from qwq_gguf.profiles import ThinkingTags
from support.chat_templates import CHATML, QWQ, R1_STYLE

TAGS = ThinkingTags()
CLOSED = QWQ.replace("<think>\\n", "")
# As DeepSeek's: no generation prompt behind a tool's result.
R1_CLOSED = R1_STYLE.replace("<think>\\n", "").replace(
    "if add_generation_prompt", "if add_generation_prompt and messages[-1].role != 'tool'"
)


def model(template: str, *more: KeyValue, name: str = "QwQ 32B") -> dict[str, KeyValue]:
    entries = (
        text("general.architecture", "qwen2"),
        text("general.name", name),
        array("tokenizer.ggml.tokens", ValueType.STRING, ["a", "<think>", "</think>"]),
        u32("tokenizer.ggml.bos_token_id", 0),
        u32("tokenizer.ggml.eos_token_id", 0),
        text("tokenizer.chat_template", template),
        *more,
    )
    return {entry.key: entry for entry in entries}


def repaired(metadata: dict[str, KeyValue]) -> str | None:
    repair = open_thought(metadata, TAGS)
    if repair is None:
        return None
    assert repair.said.startswith("chat template: the generation prompt now ends in <think>")
    (entry,) = repair.entries
    assert entry.key == "tokenizer.chat_template"
    return str(entry.value)


def test_qwqs_first_template_becomes_its_later_one() -> None:
    assert CLOSED != QWQ
    assert repaired(model(CLOSED)) == QWQ
    assert repaired(model(QWQ)) is None, "it opens the thought already"


def test_quotes_without_end_do_not_take_for_ever() -> None:
    # Over the whole of it this took time for the square of the quotes: minutes.
    comment = '{# "' + '\\"' * 25_000 + " #}"
    assert repaired(model(CLOSED + comment)) == QWQ + comment


def test_r1s_first_template_becomes_its_later_one() -> None:
    changed = repaired(model(R1_CLOSED, name="DeepSeek R1 Distill Qwen 7B"))
    assert changed is not None
    ask = Message("user", "hello")

    def prompt(source: str, *chat: Message) -> str:
        names = {"bos_token": "a", "eos_token": "a"}
        return ChatTemplate(source).render(chat, special_tokens=names).text

    assert prompt(changed, ask) == prompt(R1_CLOSED, ask) + "<think>\n"
    assert prompt(changed, ask).endswith("<|Assistant|><think>\n")
    behind_a_tool = (ask, Message("tool", "42", name="f"))
    assert prompt(changed, *behind_a_tool) == prompt(R1_CLOSED, *behind_a_tool)


def test_double_quotes_and_a_constant_further_up() -> None:
    double = CLOSED.replace(
        "{{- '<|im_start|>assistant\\n' }}", '{{- "<|im_start|>assistant\\n" }}'
    )
    assert double != CLOSED
    changed = repaired(model(double))
    assert changed == double.replace('assistant\\n" }}', 'assistant\\n<think>\\n" }}')


@pytest.mark.parametrize("name", ["Some Model", "DeepSeek R1 0528 Qwen3 8B", "QwQ 0528"])
def test_models_whose_makers_do_not_ask_for_it(name: str) -> None:
    assert repaired(model(CLOSED, name=name)) is None


@pytest.mark.parametrize(
    "template",
    [
        CHATML,  # knows nothing of thoughts
        CLOSED + "{%- if enable_thinking is defined and not enable_thinking %}x{% endif %}",
        "{% for",
        # The prompt is written as plain text, or put together elsewhere: no literal to change.
        CLOSED.replace("{{- '<|im_start|>assistant\\n' }}", "\n<|im_start|>assistant\n"),
        "{%- set start = '<|im_start|>assistant\\n' %}"
        + CLOSED.replace("{{- '<|im_start|>assistant\\n' }}", "{{- start }}"),
        # What would be changed is also part of other turns.
        CLOSED.replace(
            "{%- if add_generation_prompt %}", "{%- if add_generation_prompt or true %}"
        ),
    ],
    ids=["no-thoughts", "a-switch", "malformed", "plain-text", "a-variable", "always-there"],
)
def test_templates_that_are_left_alone(template: str) -> None:
    assert repaired(model(template)) is None


def test_a_vocabulary_without_the_tags_is_of_another_model() -> None:
    without = array("tokenizer.ggml.tokens", ValueType.STRING, ["a", "</think>"])
    assert repaired(model(CLOSED, without)) is None
    assert open_thought({}, TAGS) is None
