"""A finished GGUF, read by llama.cpp, tokenizes as Hugging Face's tokenizers do."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.conversion import convert
from qwq_gguf.conversion.vocabulary.pretokenizer import SPLITTINGS
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from support.checkpoints import (
    LLAMA3_REGEX,
    Shape,
    byte_tokenizer,
    qwen2_tokenizer,
    write_checkpoint,
)
from support.family_checkpoints import write_family
from support.gemma_family import gemma4, piece_tokenizer
from support.native_tokenizer import NativeTokenizer
from support.texts import ALPHABETS, TEXTS


@dataclass(frozen=True)
class Pair:
    """One vocabulary on both sides."""

    ours: NativeTokenizer
    theirs: Tokenizer

    def check(self, text: str) -> None:
        # llama.cpp does not normalize, so the text is composed before.
        text = unicodedata.normalize("NFC", text)
        assert self.ours.encode(text) == self.theirs.encode(text, add_special_tokens=False).ids


def pair(folder: Any, vocab: int, tokenizer: tuple[dict[str, Any], dict[str, Any]]) -> Pair:
    shape = Shape(hidden=32, layers=1, heads=2, kv_heads=1, feed_forward=32, vocab=vocab)
    checkpoint = write_checkpoint(
        folder / "model", "qwen2", shape, tokenizer=tokenizer, tie_word_embeddings=True
    )
    conversion = convert(open_checkpoint(checkpoint))
    out = folder / "model.gguf"
    run_plan(make_plan(conversion, load_recipe("Q8_0")), out)
    return Pair(NativeTokenizer(out), Tokenizer.from_str(json.dumps(tokenizer[0])))


@pytest.fixture(scope="module")
def qwen2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    made = pair(tmp_path_factory.mktemp("qwen2"), 152064, qwen2_tokenizer())
    yield made
    made.ours.close()


@pytest.mark.parametrize("text", TEXTS)
def test_real_vocabulary(qwen2: Pair, text: str) -> None:
    qwen2.check(text)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(ALPHABETS).flatmap(lambda a: st.text(a, max_size=8)), max_size=6))
def test_real_vocabulary_on_any_text(qwen2: Pair, parts: list[str]) -> None:
    qwen2.check("".join(parts))


@settings(max_examples=200)
@given(st.text(max_size=30))
def test_real_vocabulary_on_any_characters(qwen2: Pair, text: str) -> None:
    if all(unicodedata.category(c) not in ("Cn", "Cs") for c in text):
        qwen2.check(text)


MORE = {
    f"{known.name}{'-whole' if known.ignore_merges else ''}": (known.steps, known.ignore_merges)
    for known in SPLITTINGS
    if known.name in ("qwen35", "deepseek-v3", "gpt-4o", "tekken", "seed-coder")
}


def _small(kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    if kind == "llama-bpe":
        return byte_tokenizer(regex=LLAMA3_REGEX, ignore_merges=True, merge_pairs=True)
    if kind == "smaug-bpe":
        return byte_tokenizer(regex=LLAMA3_REGEX)
    if kind in MORE:
        regexes, ignore_merges = MORE[kind]
        tokenizer, config = byte_tokenizer(ignore_merges=ignore_merges, merge_pairs=True)
        split = {"type": "Split", "behavior": "Isolated", "invert": False}
        parts = [split | {"pattern": {"Regex": regex}} for regex in regexes]
        parts.append(tokenizer["pre_tokenizer"]["pretokenizers"][-1])
        tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": parts}
        return tokenizer, config
    tokenizer, config = byte_tokenizer()
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    parts = [byte_level | {"use_regex": True}]
    if kind == "smollm":
        parts.insert(0, {"type": "Digits", "individual_digits": True})
    tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": parts}
    return tokenizer, config


@pytest.mark.parametrize("kind", ["llama-bpe", "smaug-bpe", "gpt-2", "smollm", *MORE])
def test_other_splittings(tmp_path: Any, kind: str) -> None:
    made = pair(tmp_path, 320, _small(kind))
    try:
        for text in TEXTS:
            made.check(text)
    finally:
        made.ours.close()


def test_pieces_of_text(tmp_path: Any) -> None:
    """What Gemma 4 has: no splitting, low lines for spaces, bytes for what has no piece."""
    tokenizer = piece_tokenizer()
    folder = write_family(tmp_path / "model", gemma4(layers=2), tokenizer=tokenizer)
    out = tmp_path / "model.gguf"
    run_plan(make_plan(convert(open_checkpoint(folder)), load_recipe("BF16")), out)
    made = Pair(NativeTokenizer(out), Tokenizer.from_str(json.dumps(tokenizer[0])))
    try:
        for text in TEXTS:
            made.check(text)
    finally:
        made.ours.close()


def test_a_template_that_begins_a_text(tmp_path: Any) -> None:
    bos = {"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}
    a, b = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    tokenizer = byte_tokenizer(
        post_processor={
            "type": "TemplateProcessing",
            "single": [bos, a],
            "pair": [bos, a, bos, b],
            "special_tokens": {
                "<|im_start|>": {"id": "<|im_start|>", "ids": [279], "tokens": ["<|im_start|>"]}
            },
        },
        bos_token="<|im_start|>",
    )
    made = pair(tmp_path, 320, tokenizer)
    try:
        text = "the wait is 12"
        assert made.ours.encode(text, special=True) == made.theirs.encode(text).ids
        assert made.ours.encode(text, special=True)[0] == 279
    finally:
        made.ours.close()
