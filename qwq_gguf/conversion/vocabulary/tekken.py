"""Mistral's own form of a vocabulary, tekken.json, where it is the only one.

Tokens of bytes by rank, and special tokens in front of them; merges are not written down: those
are meant that make a token of two of lower or higher rank (mistral-common's `Tekkenizer`, and
`MistralVocab` in gguf-py, whose keys these are).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwq_gguf.conversion.vocabulary.bpe import byte_letters
from qwq_gguf.conversion.vocabulary.pretokenizer import TEKKEN
from qwq_gguf.conversion.vocabulary.tokens import TokenType
from qwq_gguf.errors import TokenizerError
from qwq_gguf.metadata import KeyValue, ValueType, array, boolean, text, u32

__all__ = ["tekken_keys"]

_BYTES = 256
_LONGEST = 512  # bytes of a token; the time for merges grows with its square
# The special tokens of files that list none (to version 7).
_OLD_SPECIAL = (
    *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
    *("[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]"),
    *("[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
    "[TOOL_CONTENT]",
)
_ROLES = {
    "<s>": "tokenizer.ggml.bos_token_id",
    "</s>": "tokenizer.ggml.eos_token_id",
    "<unk>": "tokenizer.ggml.unknown_token_id",
    "<pad>": "tokenizer.ggml.padding_token_id",
}


@dataclass(frozen=True, slots=True)
class _Tekken:
    """`special` are the first tokens; `tokens` the bytes of those after them, in order."""

    special: tuple[str, ...]
    tokens: tuple[bytes, ...]


def tekken_keys(tekken: Mapping[str, Any], path: Path, size: int) -> list[KeyValue]:
    """The `tokenizer.*` entries for a model of `size` embeddings, in the converter's order.

    Chat templates are the checkpoint's matter. TokenizerError for a file, at `path`, that
    contradicts itself or the model.
    """
    read = _read(tekken, path)
    found = len(read.special) + len(read.tokens)
    if found != size:
        raise TokenizerError(
            "the vocabulary has not as many tokens as the model",
            path=path,
            found=found,
            expected=f"{size}, as vocab_size in config.json says",
        )
    letters = byte_letters()
    spelled = ["".join(letters[byte] for byte in token) for token in read.tokens]
    kinds = [TokenType.CONTROL] * len(read.special) + [TokenType.NORMAL] * len(spelled)
    roles = {content: number for number, content in enumerate(read.special) if content in _ROLES}
    missing = [content for content in _ROLES if content not in roles]
    if missing:
        raise TokenizerError("special tokens are missing", path=path, expected=", ".join(missing))
    return [
        text("tokenizer.ggml.model", "gpt2"),
        text("tokenizer.ggml.pre", "tekken"),
        array("tokenizer.ggml.merges", ValueType.STRING, _merges(read.tokens, spelled, path)),
        *(u32(key, roles[content]) for content, key in _ROLES.items()),
        array("tokenizer.ggml.tokens", ValueType.STRING, [*read.special, *spelled]),
        array("tokenizer.ggml.scores", ValueType.INT32, [0] * size),  # all bits are 0 anyway
        array("tokenizer.ggml.token_type", ValueType.INT32, map(int, kinds)),
        boolean("tokenizer.ggml.add_bos_token", value=True),
        boolean("tokenizer.ggml.add_eos_token", value=False),
    ]


def _merges(tokens: Sequence[bytes], spelled: Sequence[str], path: Path) -> list[str]:
    """All pairs of tokens that make another, by its rank, then by their own."""
    ranks = {token: rank for rank, token in enumerate(tokens)}
    lines: list[str] = []
    for token in tokens[_BYTES:]:
        splits = ((token[:at], token[at:]) for at in range(1, len(token)))
        pairs = sorted(
            (ranks[left], ranks[right])
            for left, right in splits
            if left in ranks and right in ranks
        )
        if not pairs:
            raise TokenizerError(
                "a token is made of no two others",
                path=path,
                found=repr(token[:40]),
                hint="download tekken.json again",
            )
        lines += [f"{spelled[left]} {spelled[right]}" for left, right in pairs]
    return lines


def _read(tekken: Mapping[str, Any], path: Path) -> _Tekken:
    config = tekken.get("config")
    config = config if isinstance(config, Mapping) else {}
    if config.get("pattern") != TEKKEN:
        raise TokenizerError(
            "it splits text in another way than llama.cpp's tekken",
            path=path,
            found=str(config.get("pattern"))[:80],
            hint="take a repository that has a tokenizer.json too",
        )
    total = _number(config, "default_vocab_size", path)
    count = _number(config, "default_num_special_tokens", path)
    special = _special(tekken.get("special_tokens"), count, path)
    vocab = tekken.get("vocab")
    wanted = total - count
    if not isinstance(vocab, list) or not _BYTES <= wanted <= len(vocab):
        raise TokenizerError(
            "the vocabulary is shorter than it says",
            path=path,
            found=len(vocab) if isinstance(vocab, list) else type(vocab).__name__,
            expected=f"{wanted}, and {_BYTES} at least",
        )
    tokens = tuple(_token(entry, rank, path) for rank, entry in enumerate(vocab[:wanted]))
    if len(set(tokens)) != len(tokens):
        raise TokenizerError("a token occurs twice", path=path)
    return _Tekken(special, tokens)


def _token(entry: object, rank: int, path: Path) -> bytes:
    try:
        if not isinstance(entry, Mapping) or entry["rank"] != rank:
            raise ValueError
        token = base64.b64decode(entry["token_bytes"], validate=True)
    except (KeyError, ValueError, TypeError, binascii.Error):
        token = b""
    if not token or len(token) > _LONGEST or (rank < _BYTES and token != bytes([rank])):
        raise TokenizerError(
            f"token {rank} is none", path=path, found=str(entry)[:80], hint="download it again"
        )
    return token


def _special(entries: object, count: int, path: Path) -> tuple[str, ...]:
    """Those that are listed, and after them ones that nothing is meant by."""
    texts: list[object] = list(_OLD_SPECIAL)
    if entries is not None:
        listed = entries if isinstance(entries, list) else [None]
        known = [each for each in listed if isinstance(each, Mapping)]
        if [each.get("rank") for each in known] != list(range(len(listed))):
            raise TokenizerError("special_tokens are not listed in order", path=path)
        texts = [each.get("token_str") for each in known]
    texts += [f"<SPECIAL_{number}>" for number in range(len(texts), count)]
    found = tuple(each for each in texts if isinstance(each, str) and each)
    if len(texts) != count or len(set(found)) != count:
        raise TokenizerError(
            "the special tokens are not as many as it says, or no texts",
            path=path,
            found=len(set(found)),
            expected=count,
        )
    return found


def _number(config: Mapping[str, Any], name: str, path: Path) -> int:
    value = config.get(name)
    if type(value) is int and 0 < value <= 1 << 24:
        return value
    raise TokenizerError(f"config.{name} makes no sense", path=path, found=str(value)[:40])
