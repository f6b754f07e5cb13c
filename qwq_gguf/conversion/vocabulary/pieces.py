"""A SentencePiece vocabulary as tokenizer.json has it: pieces of text that are merged, with a low
line for a space, and a token for each byte of what has no piece.

The converter asks Transformers which tokens are special, and Transformers goes by the roles that
tokenizer_config.json gives, not by what tokenizer.json says of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.conversion.vocabulary.special import token_text
from qwq_gguf.conversion.vocabulary.tokens import BpeVocabulary, TokenType, read_vocabulary
from qwq_gguf.errors import ConfigError, TokenizerError

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.values import Checkpoint

__all__ = ["SCORE", "piece_listing", "read_pieces"]

SCORE = -1000.0
"""The score of every token: merges alone decide."""
_SPACE = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
# What GemmaTokenizer takes for roles that the file does not name.
_ROLES = {"bos": "<bos>", "eos": "<eos>", "unk": "<unk>", "pad": "<pad>", "mask": "<mask>"}
# Shown as text, for the sake of those who look for them in it.
_VISIBLE = frozenset(
    (
        *("<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>"),
        *("<|tool_response>", "<tool_response|>", '<|"|>'),
    )
)


def read_pieces(checkpoint: Checkpoint, path: Path, size: int) -> BpeVocabulary:
    """Check a tokenizer.json against a model of `size` embeddings.

    TokenizerError when it is malformed, or changes or splits texts as llama.cpp would not;
    ConfigError when there are more embeddings than tokens, which no GGUF can have.
    """
    tokenizer = checkpoint.tokenizer
    vocabulary = read_vocabulary(tokenizer, path, size, pieces=True)
    if tokenizer.get("normalizer") != _SPACE:
        raise TokenizerError(
            "its normalizer changes the text in a way that llama.cpp would not",
            path=path,
            found=str(tokenizer.get("normalizer"))[:80],
            expected="a low line for each space",
        )
    match tokenizer.get("pre_tokenizer"):
        # At spaces, of which there are none any more.
        case None | {"type": "Split", "pattern": {"String": " "}}:
            pass
        case other:
            raise TokenizerError(
                "this tokenizer splits text, which llama.cpp would not",
                path=path,
                found=str(other)[:80],
                expected="none, or a split at spaces",
            )
    if len(vocabulary.ids) != size:
        raise ConfigError(
            "vocab_size is not the number of tokens",
            path=path.with_name("config.json"),
            found=size,
            expected=len(vocabulary.ids),
        )
    return vocabulary


def piece_listing(
    vocabulary: BpeVocabulary, tokenizer: Mapping[str, Any], tokenizer_config: Mapping[str, Any]
) -> tuple[list[str], list[TokenType]]:
    """Text and type of all tokens, in their order."""
    special = frozenset(_special(tokenizer_config))
    model = tokenizer["model"]["vocab"]
    texts = sorted(vocabulary.ids, key=vocabulary.ids.__getitem__)
    types = []
    for text in texts:
        own = text in model
        if text in _VISIBLE:
            types.append(TokenType.USER_DEFINED)
        elif own and _BYTE.fullmatch(text):
            types.append(TokenType.BYTE)
        elif text in special:
            types.append(TokenType.CONTROL)
        else:
            types.append(TokenType.NORMAL if own else TokenType.USER_DEFINED)
    return texts, types


def _special(config: Mapping[str, Any]) -> Iterator[str]:
    """Tokens with a role: usual ones, others by a name of their own, and a list of more."""
    if str(config.get("tokenizer_class")).startswith("GemmaTokenizer"):
        for role, text in _ROLES.items():
            if f"{role}_token" not in config:
                yield text
    for key, value in config.items():
        if key.endswith("_token"):
            yield token_text(value)
    more = config.get("extra_special_tokens") or config.get("additional_special_tokens")
    if isinstance(more, Mapping):
        more = list(more.values())
    for value in more if isinstance(more, list) else ():
        yield token_text(value)
