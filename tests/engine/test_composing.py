"""A chat tokenizes odd texts as Qwen's own tokenizer does, which composes them first."""

# ruff: noqa: RUF001
from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.prompt import Segment, cut_prompt
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.conversion import convert
from qwq_gguf.engine.model import Model
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from support.checkpoints import Shape, qwen2_tokenizer, write_checkpoint
from support.tiny_gguf import TEMPLATE, vocab, write_random

ODD = (
    "e\u0301 cafe\u0301 re\u0301sume\u0301 Zu\u0308rich A\u030angstro\u0308m",
    unicodedata.normalize("NFD", "한국어 대한민국"),
    unicodedata.normalize("NFD", "Tiếng Việt, Đặng Thùy Trâm"),
    unicodedata.normalize("NFD", "Ελληνικά: ἄνθρωπος, ᾠδή"),
    unicodedata.normalize("NFD", "йод, Ёлка, їжак"),
    "\u212a and \u212b and \u2126 and \u037e and \u1fef",
    "\u0958 \u0929 \u09dc \ufb1d \ufb4b \u0f43",  # excluded from composition: they come apart
    "q\u0323\u0307 q\u0307\u0323 \u0344 \u0374",
    "\u1e0a\u0323 a\u0315\u0300\u05ae\u0300\u0062 \u0061\u0300\u0315",
    "\uf900 \ufa10 \U0002f800 豈",
    "\U0001d15e \U000110ab \u0cc6\u0cc2\u0cd5 \u0dd9\u0dcf\u0dca",
    "か\u3099 き\u3099 は\u309a パ ハ\u309a",
    "\u0301 alone, \u200de\u200d\u0301, e\n\u0301, e \u0301",
    "‘it’s’ ﬁ Ⅷ ½ ² stays, as NFC is not NFKC",
    "\u0e33 \u0eb3 \u0627\u0653 \u0648\u0654 \u05d0\u05b7",
)


@dataclass(frozen=True)
class Pair:
    ours: Model
    theirs: Tokenizer

    def encode(self, text: str) -> tuple[list[int], list[int]]:
        """Ours of a text that a template holds, and theirs."""
        cut = cut_prompt(text, bytes(len(text)), self.ours.control_tokens)
        return self.ours.encode(cut.segments), self.theirs.encode(text).ids


@pytest.fixture(scope="module")
def qwen2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("qwen2")
    tokenizer = qwen2_tokenizer()
    shape = Shape(hidden=32, layers=1, heads=2, kv_heads=1, feed_forward=32, vocab=152064)
    checkpoint = write_checkpoint(
        folder / "model", "qwen2", shape, tokenizer=tokenizer, tie_word_embeddings=True
    )
    out = folder / "model.gguf"
    run_plan(make_plan(convert(open_checkpoint(checkpoint)), load_recipe("Q8_0")), out)
    with Model.load(out, threads=1, context=64) as model:
        yield Pair(model, Tokenizer.from_str(json.dumps(tokenizer[0])))


@pytest.mark.parametrize("text", ODD)
def test_odd_texts(qwen2: Pair, text: str) -> None:
    ours, theirs = qwen2.encode(text)
    assert ours == theirs


def test_most_of_them_differ_uncomposed(qwen2: Pair) -> None:
    raw = qwen2.ours.vocabulary.encode_bytes
    differ = [text for text in ODD if raw(text.encode()) != qwen2.theirs.encode(text).ids]
    assert len(differ) >= len(ODD) - 4


MARKS = st.sampled_from("eaoAuq\u0301\u0300\u0323\u0327\u0308\u3099かハ\u1100\u1161\u11a8 \n1K;")

# Where no version of Unicode has added marks lately: the two sides may know different ones.
SETTLED = st.one_of(
    [
        st.characters(min_codepoint=first, max_codepoint=last, exclude_categories=["Cn"])
        for first, last in ((0, 0x86F), (0x900, 0x17FF), (0x1E00, 0x30FF), (0xAC00, 0xD7A3))
    ]
)


@settings(max_examples=300)
@given(st.text(MARKS | SETTLED, max_size=12))
def test_any_text(qwen2: Pair, text: str) -> None:
    ours, theirs = qwen2.encode(text)
    assert ours == theirs


def test_tokens_that_the_template_wrote_are_not_touched(qwen2: Pair) -> None:
    template = ChatTemplate(TEMPLATE)
    control = qwen2.ours.control_tokens
    prompt = template.render([Message("user", "cafe\u0301")], control_tokens=control)
    said = "<|im_start|>user\ncaf\u00e9<|im_end|>\n<|im_start|>assistant\n<think>\n"
    assert qwen2.ours.encode(prompt.segments) == qwen2.theirs.encode(said).ids


def test_composing_spells_no_token(tmp_path: Path) -> None:
    """The kelvin sign becomes a K, and llama.cpp matches user-defined tokens in any text."""
    words = vocab()
    tokens = list(words.tokens)
    tokens[words.id("<tool_call>")] = "<|OK|>"
    path = write_random(tmp_path / "kelvin.gguf", keys={"tokenizer.ggml.tokens": tokens})
    with Model.load(path, threads=1) as model:
        special = model.token_id("<|OK|>")
        assert special is not None
        assert special in model.vocabulary.encode_text("<|OK|>")  # uncut
        for text in ("<|OK|>", "<|O\u212a|>", "cafe\u0301 <|O\u212a|>"):
            cut = cut_prompt(text, bytes(len(text)), model.control_tokens)
            encoded = model.encode(cut.segments)
            assert special not in encoded
            said = b"".join(map(model.piece, encoded)).decode()
            assert said == unicodedata.normalize("NFC", text)


def test_other_models_get_a_text_as_it_is(tmp_path: Path) -> None:
    path = write_random(tmp_path / "plain.gguf", keys={"tokenizer.ggml.pre": "llama-bpe"})
    with Model.load(path, threads=1) as model:
        encoded = model.encode([Segment("e\u0301", control=False)])
        assert b"".join(map(model.piece, encoded)) == "e\u0301".encode()
