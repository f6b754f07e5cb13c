"""Which GGUFs want their texts composed."""

from __future__ import annotations

import json

import pytest

from qwq_gguf.gguf_file.nfc import composes
from qwq_gguf.metadata import KeyValue, text, u32

NFC = {"type": "NFC"}


def header(pre: str | None = None, normalizer: object = ..., raw: str | None = None) -> bool:
    entries: list[KeyValue] = []
    if pre is not None:
        entries.append(text("tokenizer.ggml.pre", pre))
    if normalizer is not ...:
        raw = json.dumps({"normalizer": normalizer})
    if raw is not None:
        entries.append(text("tokenizer.huggingface.json", raw))
    return composes({entry.key: entry for entry in entries})


@pytest.mark.parametrize(
    "pre, wanted",
    [
        ("qwen2", True),
        ("qwen35", True),
        ("command-r", True),
        ("deepseek-r1-qwen", False),
        ("llama-bpe", False),
        ("Qwen2", False),
        (None, False),
    ],
)
def test_by_the_pre_tokenizer(pre: str | None, wanted: bool) -> None:
    assert header(pre) is wanted


@pytest.mark.parametrize(
    "normalizer, wanted",
    [
        (NFC, True),
        ({"type": "Sequence", "normalizers": [{"type": "Lowercase"}, NFC]}, True),
        ({"type": "Sequence", "normalizers": []}, False),
        ({"type": "NFKC"}, False),
        (None, False),
        ([NFC], False),
    ],
)
def test_a_tokenizer_in_the_file_goes_before_that(normalizer: object, wanted: bool) -> None:
    assert header("qwen2", normalizer) is wanted
    assert header("llama-bpe", normalizer) is wanted


@pytest.mark.parametrize("raw", ["", "{", "[]", "{}", "[" * 100_000])
def test_what_is_no_tokenizer_says_nothing(raw: str) -> None:
    assert header("qwen2", raw=raw)
    assert not header("llama-bpe", raw=raw)


def test_deep_normalizers_end() -> None:
    nested: object = NFC
    for _ in range(20):
        nested = {"type": "Sequence", "normalizers": [nested]}
    assert not header("llama-bpe", nested)


def test_a_key_of_another_type_says_nothing() -> None:
    assert not composes({"tokenizer.ggml.pre": u32("tokenizer.ggml.pre", 1)})
