"""Look at a GGUF before llama.cpp does, and say in words what would make it abort.

The reader has checked that the file is a whole GGUF; this checks that it is a model that
can talk. llama.cpp answers several of these with GGML_ASSERT, which ends the process,
others with a line in the log. What slips through is caught by the trial (trial.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from qwq_gguf.errors import GgufError, ModelError
from qwq_gguf.gguf_file import GgufFile, read_gguf

__all__ = ["check_model", "model_parts"]

# LLAMA_MAX_LAYERS; the other limits are only far beyond anything that exists.
_MOST_LAYERS = 512
_MOST_HEADS = 1 << 16
_MOST_WIDTH = 1 << 20
_MOST_CONTEXT = (1 << 31) - 1

# Keys of models that may do without attention.
_RECURRENT = ("ssm.state_size", "wkv.head_size")

_OTHER_TYPES = {
    "adapter": "a LoRA adapter, not a model",
    "imatrix": "an importance matrix, not a model",
    "mmproj": "the vision part of a model, not its language part",
    "vocab": "a vocabulary without a model",
}


def check_model(gguf: GgufFile) -> None:
    """GgufError or ModelError unless the header describes a language model."""
    architecture = gguf.architecture
    if not architecture:
        raise GgufError(
            "does not say which architecture it has",
            path=gguf.path,
            expected="the key general.architecture",
        )
    kind = gguf.text("general.type")
    if kind in _OTHER_TYPES:
        raise ModelError(f"this is {_OTHER_TYPES[kind]}", path=gguf.path)
    if architecture in ("clip", "imatrix"):
        raise ModelError("this is not a language model", path=gguf.path, found=architecture)
    # The first file of a split model may have the keys alone.
    if not gguf.tensors and (gguf.integer("split.count") or 1) == 1:
        raise ModelError("this file has no weights", path=gguf.path)
    _check_number(gguf, f"{architecture}.block_count", _MOST_LAYERS)
    _check_number(gguf, f"{architecture}.context_length", _MOST_CONTEXT)
    _check_number(gguf, f"{architecture}.embedding_length", _MOST_WIDTH)
    heads = f"{architecture}.attention.head_count"
    recurrent = any(f"{architecture}.{key}" in gguf.metadata for key in _RECURRENT)
    if gguf.integer(heads) == 0 and recurrent:
        pass  # what llama.cpp's converter writes for Mamba and RWKV
    elif gguf.integer(heads) is not None:  # some architectures have an array, some none
        _check_number(gguf, heads, _MOST_HEADS)
        if gguf.integer(f"{heads}_kv") is not None:
            _check_number(gguf, f"{heads}_kv", _MOST_HEADS)
    _check_vocabulary(gguf)


def model_parts(gguf: GgufFile) -> tuple[Path, ...]:
    """All files of a model; one, unless it was split. GgufError if a part is missing."""
    count = gguf.integer("split.count") or 1
    if count <= 1:
        return (gguf.path,)
    named = re.fullmatch(r"(.*)-(\d{5})-of-(\d{5})\.gguf", gguf.path.name)
    if named is None or int(named[3]) != count:
        raise GgufError(
            "is one part of a split model, but its name does not say which",
            path=gguf.path,
            expected=f"NAME-00001-of-{count:05}.gguf",
            hint="give the parts back the names they were published with",
        )
    parts = tuple(
        gguf.path.with_name(f"{named[1]}-{number:05}-of-{named[3]}.gguf")
        for number in range(1, count + 1)
    )
    if gguf.path != parts[0]:
        raise GgufError(
            "is a later part of a split model", path=gguf.path, hint=f"name the first: {parts[0]}"
        )
    for part in parts[1:]:
        if not part.is_file():
            raise GgufError("a part of a split model is missing", path=part)
        read_gguf(part)
    return parts


def _check_number(gguf: GgufFile, key: str, most: int) -> None:
    value = gguf.integer(key)
    if value is None or not 1 <= value <= most:
        entry = gguf.metadata.get(key)
        raise GgufError(
            f"{key} makes no sense" if entry else f"lacks the key {key}",
            path=gguf.path,
            found=None if entry is None else entry.value,
            expected=f"a whole number from 1 to {most}",
        )


def _check_vocabulary(gguf: GgufFile) -> None:
    if gguf.text("tokenizer.ggml.model") in (None, "no_vocab", "none"):
        raise ModelError("has no vocabulary, so no text can go in or out", path=gguf.path)
    count = _length(gguf, "tokenizer.ggml.tokens")
    if not count:
        raise GgufError(
            "has an empty vocabulary", path=gguf.path, expected="strings in tokenizer.ggml.tokens"
        )
    for name in ("scores", "token_type"):
        other = _length(gguf, f"tokenizer.ggml.{name}")
        if other is not None and other != count:
            raise GgufError(
                f"its vocabulary and tokenizer.ggml.{name} differ in length",
                path=gguf.path,
                found=other,
                expected=count,
            )
    for rows in _rows(gguf, "token_embd.weight"):
        if rows != count:
            raise GgufError(
                "its vocabulary and its embeddings differ in length",
                path=gguf.path,
                found=f"{count} tokens",
                expected=f"{rows}, one a row of token_embd.weight",
            )


def _length(gguf: GgufFile, key: str) -> int | None:
    entry = gguf.metadata.get(key)
    return None if entry is None or entry.element is None else len(entry.items)


def _rows(gguf: GgufFile, name: str) -> Iterator[int]:
    for tensor in gguf.tensors:
        if tensor.name == name and len(tensor.shape) == 2:
            yield tensor.shape[1]
