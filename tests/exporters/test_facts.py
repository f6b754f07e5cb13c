"""What the exporters take from a GGUF's keys."""

from __future__ import annotations

import pytest

from qwq_gguf.exporters.facts import GgufFacts, gguf_facts
from qwq_gguf.metadata import KeyValue, ValueType, array, f32, text, u32
from support.exports import TEMPLATE


def facts(*keys: KeyValue, file: str = "./a.gguf", words: tuple[str, ...] = ()) -> GgufFacts:
    return gguf_facts({key.key: key for key in keys}, file=file, words=words)


def test_everything_may_be_missing() -> None:
    assert facts() == GgufFacts("./a.gguf")


def test_what_a_file_tells() -> None:
    found = facts(
        text("general.architecture", "qwen2"),
        text("general.license", "other"),
        text("general.license.link", "https://x"),
        text("general.base_model.0.repo_url", "https://huggingface.co/Qwen/QwQ-32B"),
        u32("qwen2.context_length", 4096),
        u32("tokenizer.ggml.eos_token_id", 2),
        array("tokenizer.ggml.tokens", ValueType.STRING, ["a", "<|im_end|>", "b"]),
        text("tokenizer.chat_template", TEMPLATE),
        f32("general.sampling.temp", 0.25),
        words=("<|im_end|>", "STOP"),
    )
    assert (found.context, found.eos, found.base) == (4096, 2, "Qwen/QwQ-32B")
    assert found.license == "other\nhttps://x"
    assert found.ids == {"<|im_end|>": 1}
    assert found.chatml is not None
    assert found.sampling.values == {"temperature": 0.25}


@pytest.mark.parametrize(
    "address",
    ["https://example.org/a/b", "https://huggingface.co/--x/b", "https://huggingface.co/a/b; rm"],
)
def test_a_base_that_is_no_repository_is_none(address: str) -> None:
    assert facts(text("general.base_model.0.repo_url", address)).base is None


def test_keys_of_the_wrong_type_are_absent() -> None:
    found = facts(u32("general.architecture", 1), text("tokenizer.ggml.eos_token_id", "2"))
    assert (found.architecture, found.eos) == (None, None)


@pytest.mark.parametrize("file", ["../x/a.b.gguf", "C:\\models\\a.b.gguf", "a.b.gguf"])
def test_names(file: str) -> None:
    assert (facts(file=file).filename, facts(file=file).name) == ("a.b.gguf", "a.b")


def test_words_are_found_as_byte_level_vocabularies_store_them() -> None:
    tokens = array(
        "tokenizer.ggml.tokens", ValueType.STRING, ["Wait", "\u0120so", "\u010a", "\u00c3\u00a9"]
    )
    words = ("Wait", " so", "\n", "\u00e9", "none")
    kind = text("tokenizer.ggml.model", "gpt2")
    assert facts(tokens, kind, words=words).ids == {"Wait": 0, " so": 1, "\n": 2, "\u00e9": 3}
    assert facts(tokens, words=words).ids == {"Wait": 0}
