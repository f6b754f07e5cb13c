"""general.*: names, origin, licence, recommended sampling."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.checkpoint import Checkpoint
from qwq_gguf.conversion.general import general_keys
from qwq_gguf.errors import ConfigError
from qwq_gguf.metadata import shortest_float32

WEIGHTS = 32_763_876_352
BLANK = Checkpoint(source="x", name="QwQ-32B", folder=Path("x"), config={}, tensors={})


def general(
    checkpoint: Checkpoint = BLANK, name: str | None = None, **changes: Any
) -> dict[str, Any]:
    keys = general_keys(replace(checkpoint, **changes), WEIGHTS, name=name)
    assert all(entry.key.startswith("general.") for entry in keys)
    return {
        entry.key.removeprefix("general."): (
            shortest_float32(entry.value) if isinstance(entry.value, float) else entry.value
        )
        for entry in keys
    }


def test_a_bare_name() -> None:
    assert general() == {"name": "QwQ 32B", "basename": "QwQ", "size_label": "32B"}


def test_an_organization_is_told() -> None:
    assert general(organization="deepseek-ai")["organization"] == "Deepseek Ai"


def test_an_unspeaking_name_has_a_counted_size() -> None:
    assert general(name=None, folder=Path("y"))["size_label"] == "32B"
    assert general(replace(BLANK, name="model")) == {"name": "Model", "size_label": "33B"}


def test_a_name_given_by_hand_wins() -> None:
    values = general(name="My QwQ", card={"name": "card"})
    assert values["name"] == "My QwQ"


def test_the_card_comes_before_config_before_the_folder() -> None:
    config = {"_name_or_path": "some-org/Qwen2.5-32B-v1"}
    assert general(config=config)["name"] == "Qwen2.5 32B v1"
    assert general(config=config)["version"] == "v1"
    assert general(config=config, card={"model_name": "card"})["name"] == "card"
    commit = "0123456789abcdef0123456789abcdef01234567"
    for path in ("/home/me/a/b", "", None, 5, commit, f"snapshots/{commit}"):
        assert general(config={"_name_or_path": path})["name"] == "QwQ 32B"


def test_origins() -> None:
    values = general(card={"base_model": ["Qwen/Qwen2.5-32B", "https://example.com/x"]})
    assert values["base_model.count"] == 2
    assert values["base_model.0.name"] == "Qwen2.5 32B"
    assert values["base_model.0.organization"] == "Qwen"
    assert values["base_model.0.repo_url"] == "https://huggingface.co/Qwen/Qwen2.5-32B"
    assert values["base_model.1.repo_url"] == "https://example.com/x"
    assert general(card={"base_model": "a/b-7B"})["base_model.count"] == 1
    assert general(card={"base_model": {"a": "b"}})["base_model.count"] == 0


def test_lists() -> None:
    values = general(
        card={"license": ["mit", "other"], "language": "en", "tags": ["chat", {"a": "b"}, ""]}
    )
    assert values["license"] == "mit,other"
    assert values["languages"] == ("en",)
    assert values["tags"] == ("chat",)


def test_what_is_empty_in_a_card_is_not_there() -> None:
    values = general(card={"license": "", "author": "null", "tags": [], "description": ["a"]})
    assert values == general()


def test_recommended_sampling() -> None:
    config = {"temperature": 0.6, "top_k": 40, "top_p": 0.95, "repetition_penalty": 1, "eos": 5}
    assert {k: v for k, v in general(generation_config=config).items() if "sampling" in k} == {
        "sampling.top_k": 40,
        "sampling.top_p": 0.95,
        "sampling.temp": 0.6,
        "sampling.penalty_repeat": 1.0,
    }


@pytest.mark.parametrize(
    "config",
    [
        {"temperature": "hot"},
        {"temperature": float("nan")},
        {"top_p": True},
        {"top_k": 2**40},
        {"min_p": 1e300},
        {"top_k": [1]},
    ],
)
def test_absurd_sampling(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as raised:
        general(generation_config=config)
    assert next(iter(config)) in raised.value.message
