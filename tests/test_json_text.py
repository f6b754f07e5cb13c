"""JSON is looked at before it is built: how deep it is, and what it will come to."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwq_gguf import json_text
from qwq_gguf.json_text import MAX_DEPTH, parse_json

MIB = 1 << 20
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES, st.booleans())
@settings(max_examples=100, deadline=None)
def test_it_reads_what_json_reads(value: object, escaped: bool) -> None:
    text = json.dumps(value, ensure_ascii=escaped)
    assert parse_json(text) == value


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_depth(opening: bytes) -> None:
    """Brackets in strings, escaped quotes among them, are text."""
    closing = opening.replace(b'"a":', b"").replace(b"[", b"]").replace(b"{", b"}")[::-1]
    fits = MAX_DEPTH // len(closing)
    assert parse_json(opening * fits + b'"[[[\\"[[[\\\\"' + closing * fits)
    for count in (MAX_DEPTH + 1, 1000, 100_000):
        with pytest.raises(ValueError, match="nested more than"):
            parse_json(opening * count + b"0" + closing * count)


HUGE = {
    "open brackets": b"[" * MIB,
    "empty lists": b"[" + b"[]," * (MIB // 3) + b"0]",
    "small objects": b"[" + b'{"a":0},' * (MIB // 8) + b"0]",
    "floats": b"[" + b"1.5," * (MIB // 4) + b"0]",
    "keys": b"{" + b",".join(b'"%x":0' % number for number in range(MIB // 8)) + b"}",
    "quotes": b'"' * MIB,
    "short strings": b"[" + b'"ab",' * (MIB // 5) + b"0]",
}


@pytest.mark.parametrize("kind", HUGE)
def test_little_memory_is_taken_before_it_is_refused(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that would take some ten times their size, in less than three times it."""
    monkeypatch.setattr(json_text, "MAX_BUILT", 4 * MIB)
    monkeypatch.setattr(json_text, "_WINDOW", 1 << 12)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"more values than any real file|nested"):
            parse_json(HUGE[kind])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * MIB


def test_what_real_files_hold_is_far_from_the_limit() -> None:
    """300,000 merges in pairs and 150,000 tokens, as in Qwen's tokenizer.json."""
    merges = b",".join([b'["ab","cd"]'] * 300_000)
    tokens = b",".join(b'"t%d":%d' % (number, number) for number in range(150_000))
    value = parse_json(b'{"model":{"vocab":{%s},"merges":[%s]}}' % (tokens, merges))
    assert len(value["model"]["merges"]) == 300_000


@pytest.mark.parametrize(
    "content", [b"", b"{", b"]", b"\xff", b'"\\"', b'{"a": 0, }', b"[}" * 70, b"1" * 5000, b"nul"]
)
def test_what_is_no_json(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(content)


def test_a_byte_order_mark_is_no_matter() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_pairs_go_through_the_hook() -> None:
    assert parse_json('{"a": 1}', object_pairs_hook=list) == [("a", 1)]
