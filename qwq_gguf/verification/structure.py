"""What a GGUF's header must be for the model to work, beyond being readable. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from qwq_gguf.gguf_file.oddities import find_oddities, readable
from qwq_gguf.gguf_file.reader import GgufFile
from qwq_gguf.metadata import KeyValue, ValueType
from qwq_gguf.verification.findings import Finding, difference, remark

__all__ = ["check_structure"]

_TOKENS = "tokenizer.ggml.tokens"
_LAST_TOKEN_TYPE = 6  # LLAMA_TOKEN_ATTR: 1 normal ... 6 byte; 0 is undefined


def check_structure(file: GgufFile) -> list[Finding]:
    """The tokenizer's arrays, as differences, and known traps, as remarks.

    Offsets, sizes and types were checked when the header was read. A key is damaged only
    when it contradicts another: what merely looks wrong is a remark.
    """
    found = [
        difference("structure", readable(key), readable(what))
        for check in _CHECKS
        for key, what in check(file)
    ]
    return found + [
        remark("structure", "header", f"{odd.what}: {odd.hint}")
        for odd in find_oddities(file)
        if not any(damage.where in odd.what for damage in found)  # said already
    ]


def _array(file: GgufFile, key: str, *kinds: ValueType) -> KeyValue | None:
    entry = file.metadata.get(key)
    return entry if entry is not None and entry.element in kinds else None


def _kinds(file: GgufFile) -> Iterator[tuple[str, str]]:
    wanted = {
        _TOKENS: (ValueType.STRING,),
        "tokenizer.ggml.merges": (ValueType.STRING,),
        "tokenizer.ggml.scores": (ValueType.FLOAT32,),
        "tokenizer.ggml.token_type": (ValueType.INT32, ValueType.UINT32),
    }
    for key, kinds in wanted.items():
        if key in file.metadata and _array(file, key, *kinds) is None:
            expected = " or ".join(kind.name.lower() for kind in kinds)
            yield key, f"not an array of {expected}"


def _tokens(file: GgufFile) -> Iterator[tuple[str, str]]:
    entry = _array(file, _TOKENS, ValueType.STRING)
    if entry is None:
        if file.text("tokenizer.ggml.model") not in (None, "none", "no_vocab"):
            yield _TOKENS, "a tokenizer is named, but there are no tokens"
        return
    count = len(entry.items)
    for part in ("token_type", "scores"):
        other = file.metadata.get(f"tokenizer.ggml.{part}")
        if other is not None and other.element is not None and len(other.items) != count:
            yield other.key, f"{len(other.items)} entries for {count} tokens"
    counted = Counter(entry.items)
    if len(counted) != count:
        text, times = counted.most_common(1)[0]
        yield _TOKENS, f"{text!r} stands there {times} times, at which llama.cpp ends the process"


def _token_types(file: GgufFile) -> Iterator[tuple[str, str]]:
    key = "tokenizer.ggml.token_type"
    entry = _array(file, key, ValueType.INT32, ValueType.UINT32)
    if entry is None:
        return
    for at, kind in enumerate(entry.items):
        if not isinstance(kind, int) or not 0 <= kind <= _LAST_TOKEN_TYPE:
            yield key, f"[{at}] is {kind}, which is no token type"
            return


def _merges(file: GgufFile) -> Iterator[tuple[str, str]]:
    """Each merge of a byte-level vocabulary joins two tokens that exist into one that exists."""
    key = "tokenizer.ggml.merges"
    tokens, merges = _array(file, _TOKENS, ValueType.STRING), _array(file, key, ValueType.STRING)
    if tokens is None or merges is None:
        return
    known = set(tokens.items)
    for at, merge in enumerate(merges.items):
        left, space, right = str(merge).partition(" ")
        if not (left and space and right):
            yield key, f"[{at}] is {merge!r}, which is no pair"
            return
        if file.text("tokenizer.ggml.model") != "gpt2":
            continue
        missing = next((part for part in (left, right, left + right) if part not in known), None)
        if missing is not None:
            yield key, f"[{at}] is {merge!r}, but {missing!r} is no token"
            return


_CHECKS: tuple[Callable[[GgufFile], Iterator[tuple[str, str]]], ...] = (
    _kinds,
    _tokens,
    _token_types,
    _merges,
)
