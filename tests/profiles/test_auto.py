from __future__ import annotations

import pytest

from qwq_gguf.metadata import KeyValue, text, u32
from qwq_gguf.profiles import choose_profile, profile_names

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
        ({"name": "x", "template": DEEPSEEK}, "r1-distill", "its chat template is DeepSeek's"),
        ({"architecture": "qwen3moe", "template": THINKS}, "qwen3-thinking", "qwen3moe model"),
        ({"architecture": "qwen3", "template": "{{ 1 }}"}, "llama-cpp", "no <think>"),
        ({"architecture": "llama", "template": THINKS}, "qwq", "its chat template has <think>"),
        ({"name": "Llama 3"}, "llama-cpp", "no <think>"),
        ({}, "llama-cpp", "no <think>"),
    ],
)
def test_a_model_gets_the_profile_of_its_kin(
    values: dict[str, str], profile: str, reason: str
) -> None:
    choice = choose_profile(metadata(**values))
    assert choice.profile == profile
    assert reason in choice.reason
    assert profile in profile_names()


def test_keys_of_the_wrong_type_are_no_names() -> None:
    entry = u32("general.name", 3)
    assert choose_profile({entry.key: entry}).profile == "llama-cpp"
