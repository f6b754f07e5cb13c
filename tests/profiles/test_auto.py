from __future__ import annotations

import pytest

from qwq_gguf.metadata import KeyValue, text, u32
from qwq_gguf.profiles import choose_profile, profile_names
from support.chat_templates import CLOSES, IF_ASKED, STRIPS, UNLESS_TOLD

THINKS = "{{ '<think>\\n' }}"
DEEPSEEK = "{{ '<\uff5cAssistant\uff5c><think>\\n' }}"


def metadata(**values: str) -> dict[str, KeyValue]:
    keys = {
        "name": "general.name",
        "basename": "general.basename",
        "base": "general.base_model.0.name",
        "architecture": "general.architecture",
        "template": "tokenizer.chat_template",
    }
    return {keys[name]: text(keys[name], value) for name, value in values.items()}


@pytest.mark.parametrize(
    "values, profile, reason",
    [
        ({"name": "QwQ 32B", "template": THINKS}, "qwq", "general.name is QwQ 32B"),
        ({"name": "Some_QwQ-merge"}, "qwq", "general.name is Some_QwQ-merge"),
        ({"name": "My finetune", "base": "QwQ 32B"}, "qwq", "general.base_model.0.name is QwQ 32B"),
        ({"name": "DeepSeek R1 Distill Qwen 7B"}, "r1-distill", "general.name is"),
        ({"basename": "DeepSeek-R1-0528-Qwen3"}, "r1-distill", "general.basename is"),
        ({"name": "R1_Distill-QwQ"}, "r1-distill", "general.name is"),
        ({"name": "QwQ NoThink", "template": CLOSES}, None, "closes the thought"),
        (
            {"architecture": "llama", "template": DEEPSEEK},
            "r1-distill",
            "a llama model that thinks",
        ),
        ({"architecture": "deepseek2", "template": DEEPSEEK}, "deepseek-r1", "a deepseek2"),
        # A name of another architecture's model decides nothing.
        ({"name": "QwQ 32B", "architecture": "gemma3", "template": STRIPS}, None, "nothing says"),
        ({"name": "QwQ 32B", "architecture": "qwen3", "template": THINKS}, "qwen3-thinking", "a q"),
        ({"architecture": "qwen3moe", "template": THINKS}, "qwen3-thinking", "qwen3moe model"),
        ({"architecture": "qwen3", "template": UNLESS_TOLD}, "qwen3-thinking", "qwen3 model"),
        ({"architecture": "qwen3", "template": STRIPS}, None, "nothing says that it thinks"),
        ({"architecture": "qwen3", "template": IF_ASKED}, None, "closes the thought"),
        # Other families, although their architectures' names begin in the same way.
        ({"architecture": "qwen35", "template": THINKS}, "qwen3.5", "a qwen35 model"),
        ({"architecture": "qwen3vl", "template": THINKS}, "qwq", "it thinks"),
        ({"name": "Qwen3 4B", "architecture": "llama", "template": THINKS}, "qwq", "it thinks"),
        ({"architecture": "llama", "template": THINKS}, "qwq", "it thinks"),
        ({"architecture": "llama", "template": "{{ '<think> ends in </think>.' }}"}, "qwq", "it"),
        ({"architecture": "llama", "template": STRIPS}, None, "nothing says that it thinks"),
        ({"name": "Llama 3"}, None, "nothing says that it thinks"),
        ({}, None, "nothing says that it thinks"),
    ],
)
def test_a_model_gets_the_profile_of_its_kin(
    values: dict[str, str], profile: str | None, reason: str
) -> None:
    choice = choose_profile(metadata(**values))
    assert choice.profile == profile
    assert reason in choice.reason
    assert profile is None or profile in profile_names()


@pytest.mark.parametrize(
    "layers, width, reason", [(64, 5120, "QwQ 32B"), (36, 2048, "QwQ 32B, though of another shape")]
)
def test_a_name_is_not_believed_about_the_shape(layers: int, width: int, reason: str) -> None:
    shape = [u32("qwen2.block_count", layers), u32("qwen2.embedding_length", width)]
    model = metadata(name="QwQ 32B", architecture="qwen2", template=STRIPS)
    choice = choose_profile(model | {entry.key: entry for entry in shape})
    assert (choice.profile, choice.reason) == ("qwq", f"general.name is {reason}")


@pytest.mark.parametrize(
    "template, thinking, profile",
    [(UNLESS_TOLD, False, None), (IF_ASKED, True, "qwen3-thinking"), (CLOSES, True, None)],
)
def test_a_switch_that_is_thrown_counts(template: str, thinking: bool, profile: str | None) -> None:
    model = metadata(architecture="qwen3", template=template)
    assert choose_profile(model, thinking=thinking).profile == profile
    family = metadata(name="QwQ 32B", template=THINKS)
    assert choose_profile(family, thinking=thinking).profile == "qwq"


def test_keys_of_the_wrong_type_are_no_names() -> None:
    entry = u32("general.name", 3)
    assert choose_profile({entry.key: entry}).profile is None
