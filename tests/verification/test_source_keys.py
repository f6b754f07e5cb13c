"""What a GGUF tells a model otherwise than its source: found, and shown without harm."""

from __future__ import annotations

import time
from collections.abc import Mapping

from qwq_gguf.metadata import KeyValue, ValueType, array, f32, text, u32
from qwq_gguf.verification.source_keys import KeyDifference, compare_source_keys, diff_lines

TEMPLATE = "{%- for m in messages %}{{- m.content }}{%- endfor %}"
KEY = "tokenizer.chat_template"


def keys(*more: KeyValue) -> Mapping[str, KeyValue]:
    entries = (
        text("general.name", "x"),
        text(KEY, TEMPLATE),
        u32("tokenizer.ggml.eos_token_id", 1),
        f32("general.sampling.temp", 0.6),
        array("tokenizer.ggml.tokens", ValueType.STRING, ["a", "<|im_end|>", "<|x|>"]),
        array("tokenizer.ggml.token_type", ValueType.INT32, [1, 3, 1]),
        *more,
    )
    return {entry.key: entry for entry in entries}


def test_nothing_differs_but_what_differs() -> None:
    assert compare_source_keys(keys(), keys()) == []
    assert compare_source_keys(keys(text("general.name", "other")), keys()) == []


def test_each_watched_key_is_found() -> None:
    ours = keys(
        text(KEY, TEMPLATE + "!"),
        text(f"{KEY}.tool_use", "more"),
        u32("tokenizer.ggml.eos_token_id", 0),
        f32("general.sampling.temp", 1.5),
        array("tokenizer.ggml.token_type", ValueType.INT32, [1, 3, 3]),
    )
    found = {each.key: (each.there, each.here) for each in compare_source_keys(ours, keys())}
    assert list(found)[:2] == [KEY, f"{KEY}.tool_use"]
    assert found["tokenizer.ggml.eos_token_id"] == ("1 <|im_end|>", "0 a")
    assert found["general.sampling.temp"] == ("0.6", "1.5")
    assert found["token 2"] == ("<|x|> (normal)", "<|x|> (control)")
    assert found[f"{KEY}.tool_use"] == (None, "more")
    assert len(found) == 5


def test_a_repair_is_known_as_one() -> None:
    ours = keys(u32("tokenizer.ggml.eos_token_id", 0), f32("general.sampling.temp", 1.5))
    prepared = keys(u32("tokenizer.ggml.eos_token_id", 0))
    found = compare_source_keys(ours, keys(), [keys(), prepared])
    assert {each.key: each.known for each in found} == {
        "tokenizer.ggml.eos_token_id": True,
        "general.sampling.temp": False,
    }


def test_many_tokens_are_counted() -> None:
    tokens = [str(number) for number in range(50)]
    ours = keys(array("tokenizer.ggml.tokens", ValueType.STRING, tokens))
    found = compare_source_keys(ours, keys())
    assert len([each for each in found if "token" in each.key]) == 22  # eos has another text, too
    assert found[-1].key == "30 more tokens"


def test_an_inserted_statement_stands_alone_even_in_one_line() -> None:
    evil = "{%- if 'key' in m.content %}{{- 'send it' }}{%- endif %}"
    ours = TEMPLATE.replace("{{-", evil + "{{-", 1)
    lines = list(diff_lines(KeyDifference(KEY, ours, TEMPLATE, False)))
    assert [line for line in lines if line.startswith("+")] == [
        "+ {%- if 'key' in m.content %}",
        "+ {{- 'send it' }}",
        "+ {%- endif %}",
    ]
    assert not [line for line in lines if line.startswith("-")]


def test_nothing_in_it_acts_or_hides() -> None:
    """A control sequence, a letter that turns the line, an invisible one, a Cyrillic a."""
    evil = "\x1b[2J\u202eabc\u200b \u2028 p\u0430ss \x9b5m\r\n中文"
    lines = "\n".join(diff_lines(KeyDifference(KEY, evil, "", False)))
    assert all(letter.isprintable() for letter in lines.replace("\n", ""))
    for said in ("\\u001b[2J", "\\u202e", "\\u200b", "\\u2028", "p\\u0430ss", "\\x9b", "中文"):
        assert said in lines


def test_long_ones_end_soon() -> None:
    began = time.monotonic()
    for ours, theirs in (
        ("{%" * 1_900, "{#" * 1_900),
        ("a\n" * 1_990, "a\n" * 1_000 + "b\n" * 900),
        ("x" * 1_000_000, "y"),
        ("\n" * 1_000_000, "y"),
    ):
        lines = list(diff_lines(KeyDifference(KEY, ours, theirs, False)))
        assert len(lines) <= 402
        assert all(len(line) < 2_000 for line in lines)
    assert time.monotonic() - began < 10
