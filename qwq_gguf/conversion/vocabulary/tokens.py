"""Tokens, their types and their merges."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain
from pathlib import Path
from typing import Any, TypeGuard

from qwq_gguf.errors import ConfigError, TokenizerError

__all__ = ["AddedToken", "TokenType", "BpeVocabulary", "read_vocabulary"]

# A space inside a token, as byte-level BPE writes it.
_SPACE = "\u0120"
# What SentencePiece writes for a space.
_LOW_LINE = "\u2581"


class TokenType(IntEnum):
    """`enum llama_token_type`, the ones that a BPE vocabulary uses."""

    NORMAL = 1
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True, slots=True)
class AddedToken:
    """A token that is matched in the text before anything is split."""

    id: int
    content: str
    special: bool


@dataclass(frozen=True, slots=True)
class BpeVocabulary:
    """`ids` maps every token, added ones too, to its number; `merges` are in order of rank,
    each as its two parts.
    """

    ids: Mapping[str, int]
    added: tuple[AddedToken, ...]
    merges: tuple[tuple[str, str], ...]
    ignore_merges: bool

    def listing(
        self, size: int, special: Collection[str] = ()
    ) -> tuple[list[str], list[TokenType]]:
        """Text and type of the tokens 0 to size - 1; holes become `[PADn]`, unused. `special`
        are further added tokens that are control tokens.
        """
        texts = [f"[PAD{number}]" for number in range(size)]
        types = [TokenType.UNUSED] * size
        for text, number in self.ids.items():
            texts[number] = text
            types[number] = TokenType.NORMAL
        for token in self.added:
            control = token.special or token.content in special or _looks_special(token.content)
            texts[token.id] = token.content if control else token.content.replace(_LOW_LINE, " ")
            types[token.id] = TokenType.CONTROL if control else TokenType.USER_DEFINED
        return texts, types

    def merge_lines(self) -> list[str]:
        """Merges as GGUF has them: the parts with a space between, spaces inside encoded."""
        return [
            f"{left.replace(' ', _SPACE)} {right.replace(' ', _SPACE)}"
            for left, right in self.merges
        ]


def read_vocabulary(
    tokenizer: Mapping[str, Any], path: Path, size: int, *, pieces: bool = False
) -> BpeVocabulary:
    """Check a tokenizer.json against a model of `size` embeddings. `pieces` are of text, with
    tokens for the bytes of what has none; else all tokens are of bytes.

    TokenizerError when it is malformed or of the other kind, ConfigError when it has a
    token beyond the last embedding.
    """
    if not tokenizer:
        raise TokenizerError(
            "the checkpoint has no tokenizer.json",
            path=path,
            hint="save the tokenizer again with a fast tokenizer of transformers",
        )
    model = tokenizer.get("model")
    if not isinstance(model, Mapping) or model.get("type", "BPE") != "BPE":
        kind = model.get("type") if isinstance(model, Mapping) else type(model).__name__
        raise TokenizerError("not a BPE tokenizer", path=path, found=str(kind)[:40], expected="BPE")
    if pieces and model.get("byte_fallback") is not True:
        raise TokenizerError(
            "no vocabulary of pieces, which this model has",
            path=path,
            found="no byte_fallback",
            expected="byte_fallback: true",
        )
    if not pieces and model.get("byte_fallback") is True:
        raise TokenizerError(
            "a SentencePiece vocabulary, which this model has not",
            path=path,
            found="byte_fallback: true",
            expected="byte-level BPE",
        )
    for affix in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(affix):
            raise TokenizerError(
                f"model.{affix} marks parts of words, which byte-level BPE does not",
                path=path,
                found=str(model[affix])[:40],
            )
    ids = _ids(model.get("vocab"), path)
    added = _added(tokenizer.get("added_tokens"), path)
    everything = {**ids, **{token.content: token.id for token in added}}
    if not everything:
        raise TokenizerError("the vocabulary is empty", path=path)
    text = max(everything, key=everything.__getitem__)
    if everything[text] >= size:
        raise ConfigError(
            "vocab_size is smaller than the tokenizer's vocabulary",
            path=path.with_name("config.json"),
            found=size,
            expected=f"at least {everything[text] + 1}, for {text[:40]!r}",
        )
    return BpeVocabulary(
        ids=everything,
        added=added,
        merges=_merges(model.get("merges"), path),
        ignore_merges=model.get("ignore_merges") is True,
    )


def _ids(vocab: Any, path: Path) -> dict[str, int]:
    if not isinstance(vocab, dict):
        raise TokenizerError("model.vocab is not an object", path=path)
    numbers = set(vocab.values()) if all(map(_is_id, vocab.values())) else set()
    if len(numbers) != len(vocab):
        raise TokenizerError("token numbers are negative, repeated or no integers", path=path)
    _check_text(vocab, path)
    return vocab


def _added(entries: Any, path: Path) -> tuple[AddedToken, ...]:
    if entries is None:
        return ()
    if not isinstance(entries, list):
        raise TokenizerError("added_tokens is not a list", path=path)
    tokens: dict[int, AddedToken] = {}
    for entry in entries:
        number = entry.get("id") if isinstance(entry, Mapping) else None
        content = entry.get("content") if isinstance(entry, Mapping) else None
        if not _is_id(number) or not isinstance(content, str) or not content:
            raise TokenizerError(
                "an added token has no number or no text", path=path, found=str(entry)[:80]
            )
        tokens[number] = AddedToken(number, content, entry.get("special") is True)
    _check_text([token.content for token in tokens.values()], path)
    return tuple(tokens[number] for number in sorted(tokens))


def _merges(merges: Any, path: Path) -> tuple[tuple[str, str], ...]:
    """Both forms: "a b" (before tokenizers 0.20) and ["a", "b"]."""
    if not isinstance(merges, Sequence) or isinstance(merges, str):
        raise TokenizerError("model.merges is not a list", path=path)
    pairs: list[tuple[str, str]] = []
    for rank, merge in enumerate(merges):
        parts = merge.split(" ") if isinstance(merge, str) else merge
        left, right = parts if isinstance(parts, list) and len(parts) == 2 else ("", "")
        if not (left and right and isinstance(left, str) and isinstance(right, str)):
            raise TokenizerError(
                f"merge {rank} is no pair of tokens", path=path, found=str(merge)[:80]
            )
        pairs.append((left, right))
    _check_text(chain.from_iterable(pairs), path)
    return tuple(pairs)


def _check_text(texts: Iterable[str], path: Path) -> None:
    try:
        "".join(texts).encode("utf-8")
    except UnicodeEncodeError as problem:
        raise TokenizerError("a token is no valid text (a lone surrogate)", path=path) from problem


def _is_id(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _looks_special(text: str) -> bool:
    """Tokens that are meant as control tokens though their file does not say so."""
    return (
        text in ("<pad>", "<mask>", "<2mass>", "[@BOS@]")
        or (text.startswith("<|") and text.endswith("|>"))
        or (text.startswith("<\uff5c") and text.endswith("\uff5c>"))
        or (text.startswith("<unused") and text.endswith(">"))
    )
