"""Names taken to pieces, with the gguf package's own reading of them as the oracle."""

from __future__ import annotations

import gguf
import pytest
from gguf.metadata import Metadata
from hypothesis import example, given
from hypothesis import strategies as st

from qwq_gguf.conversion.general.modelid import ModelId, parse_model_id, size_label, titled

NAMES = (
    "QwQ-32B",
    "Qwen/QwQ-32B-Preview",
    "deepseek-ai/DeepSeek-R1-Distill-Llama-70B",
    "Qwen/Qwen2.5-7B-Instruct-1M",
    "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "bigscience/bloom-7b1-petals",
    "org/phi-3-mini-128k-instruct",
    "org/model-large-7B-chat",
    "Q4_K-model-f16",
    "a-v2-b-v3",
    "v1-v2",
    "1.5-base",
    "some name with spaces",
    "org/a/b-7B",
    "./model-7B",
    "../x",
    "-",
    "",
    "--7B--",
    "SmolLM2-A3B-xl-XL-iter3",
    "Model-7_5B-hf",
)
PARTS = st.sampled_from(
    [
        "Qwen",
        "qwen2.5",
        "7B",
        "8x7B",
        "A3B",
        "7b1",
        "1_5b",
        "128k",
        "v0.1",
        "iter2",
        "2024",
        "q4",
        "IQ2_x",
        "bf16",
        "fp32",
        "Instruct",
        "chat",
        "lora",
        "large",
        "xl",
        "R1",
        "2x",
        "",
    ]
)
WEIGHTS = st.sampled_from([0, 1, 494_000_000, 7_600_000_000, 32_700_000_000, 70_000_000_000])


def oracle(model_id: str, weights: int) -> ModelId:
    name, organization, basename, finetune, version, size = Metadata.get_model_id_components(
        model_id, weights
    )
    assert name is not None
    return ModelId(name, organization or None, basename, size, finetune, version)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("weights", [0, 7_600_000_000])
def test_names_people_use(name: str, weights: int) -> None:
    assert parse_model_id(name, weights) == oracle(name, weights)


@given(parts=st.lists(PARTS, min_size=1, max_size=7), weights=WEIGHTS, owned=st.booleans())
def test_any_names(parts: list[str], weights: int, owned: bool) -> None:
    name = ("org/" if owned else "") + "-".join(parts)
    assert parse_model_id(name, weights) == oracle(name, weights)


def test_one_by_hand() -> None:
    """The oracle and this could be wrong together."""
    assert parse_model_id("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", 7_615_616_512) == ModelId(
        name="DeepSeek-R1-Distill-Qwen-7B",
        organization="deepseek-ai",
        basename="DeepSeek-R1-Distill-Qwen",
        size="7B",
    )
    assert parse_model_id("phi-mini-128k-instruct", 3_800_000_000).finetune == "128k-instruct"


@given(st.text(st.sampled_from("abQZ019.- v"), max_size=20))
@example("deepseek-r1-distill-qwen-1.5B v2.1 7b")
def test_titles(name: str) -> None:
    assert titled(name) == Metadata.id_to_title(name)  # type: ignore[no-untyped-call]


@given(st.integers(1, 2 * 10**12))
@example(32_763_876_352)
@example(1_000_000_000)
@example(494_032_768)
def test_size_labels(weights: int) -> None:
    assert size_label(weights) == gguf.size_label(weights, weights, 0, 0)
