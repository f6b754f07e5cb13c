"""The bundled checkpoint: laid out as QwQ's repository is, and small."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer

from qwq_gguf.checkpoint import Checkpoint, open_checkpoint
from qwq_gguf.evaluation.suites.problems import SHOWCASE
from qwq_gguf.resources import demo_checkpoint
from support.trainer import conversations


@pytest.fixture(scope="module")
def demo() -> Checkpoint:
    return open_checkpoint("demo")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(demo_checkpoint() / "tokenizer.json"))


def test_it_has_the_files_of_a_real_one_and_stays_small() -> None:
    files = {path.name: path.stat().st_size for path in demo_checkpoint().iterdir()}
    assert set(files) == {
        "README.md",
        "config.json",
        "generation_config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert sum(files.values()) < 12_000_000


def test_it_is_qwen2_in_bf16(demo: Checkpoint) -> None:
    assert demo.config["architectures"] == ["Qwen2ForCausalLM"]
    assert {info.dtype for info in demo.tensors.values()} == {"BF16"}
    index = json.loads((demo_checkpoint() / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == demo.weight_bytes
    # Whole K-quant blocks everywhere, so that mixes apply as they do to the big ones.
    assert all(info.shape[-1] % 256 == 0 for info in demo.tensors.values() if len(info.shape) == 2)


def test_the_template_is_the_trainers(demo: Checkpoint) -> None:
    assert demo.chat_template == conversations.TEMPLATE


def test_numbers_are_a_digit_a_token_and_quoted_words_a_letter_a_token(
    tokenizer: Tokenizer,
) -> None:
    encoding = tokenizer.encode('What is 3394*35979? "strawberry"')
    tokens = encoding.tokens
    assert [t for t in tokens if t.isdigit()] == list("339435979")
    assert tokens[-11:] == [*"strawberry", '"']


def test_the_control_tokens_are_one_token_each(tokenizer: Tokenizer) -> None:
    for text in ("<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>"):
        assert len(tokenizer.encode(text).ids) == 1


def test_the_model_card_has_the_showcase_in_scope_and_its_numbers(demo: Checkpoint) -> None:
    card = (demo_checkpoint() / "README.md").read_text(encoding="utf-8")
    assert demo.card["license"] == "apache-2.0"
    assert {problem.skill for problem in SHOWCASE} <= {
        row.split("|")[1].strip() for row in card.splitlines() if row.count("|") > 4
    }
