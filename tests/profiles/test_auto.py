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
        ({"name": "x", "template": DEEPSEEK}, "r1-distill", "its chat template is DeepSeek's"),
        ({"architecture": "qwen3moe", "template": THINKS}, "qwen3-thinking", "qwen3moe model"),
        ({"architecture": "qwen3", "template": UNLESS_TOLD}, "qwen3-thinking", "qwen3 model"),
        ({"architecture": "qwen3", "template": STRIPS}, None, "nothing says that it thinks"),
        ({"architecture": "qwen3", "template": IF_ASKED}, None, "closes the thought"),
        # Another family, although its architecture's name begins in the same way.
        ({"architecture": "qwen35", "template": THINKS}, "qwq", "it thinks"),
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


def test_only_families_that_a_profile_is_made_for_are_its_kin() -> None:
    assert choose_profile(metadata(name="QwQ 32B")).kin
    assert not choose_profile(metadata(architecture="qwen3", template=UNLESS_TOLD)).kin
    assert not choose_profile(metadata(architecture="qwen35", template=THINKS)).kin


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
