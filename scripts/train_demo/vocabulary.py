"""The demo model's tokenizer: a small byte-level BPE in the layout of Qwen2's tokenizer.json.

Its merges are restricted on purpose. A merge starts with a space or a backslash, or joins
signs; it never joins letters at the start of a word, so a word in quotes is a letter a
token, and a number is a digit a token (the pre-tokenizer sees to that).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

# The Qwen2 pre-tokenizer's regular expression, as published in Qwen's tokenizer.json.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# (text, special) in Qwen's order; QwQ's ids for these follow its base vocabulary, as here.
ADDED = (
    ("<|endoftext|>", True),
    ("<|im_start|>", True),
    ("<|im_end|>", True),
    ("<|object_ref_start|>", True),
    ("<|object_ref_end|>", True),
    ("<|box_start|>", True),
    ("<|box_end|>", True),
    ("<|quad_start|>", True),
    ("<|quad_end|>", True),
    ("<|vision_start|>", True),
    ("<|vision_end|>", True),
    ("<|vision_pad|>", True),
    ("<|image_pad|>", True),
    ("<|video_pad|>", True),
    ("<tool_call>", False),
    ("</tool_call>", False),
    ("<|fim_prefix|>", False),
    ("<|fim_middle|>", False),
    ("<|fim_suffix|>", False),
    ("<|fim_pad|>", False),
    ("<|repo_name|>", False),
    ("<|file_sep|>", False),
    ("<tool_response>", False),
    ("</tool_response>", False),
    ("<think>", False),
    ("</think>", False),
)
VOCAB_SIZE = 512
BASE_SIZE = 480
_SPACE = "\u0120"  # the byte-level alphabet's letter for a space


def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _mergeable(left: str, right: str) -> bool:
    if any(c.isdigit() for c in left + right):
        return False
    if left[0] in (_SPACE, "\\"):
        return True
    return not any(c.isalpha() and c.isascii() for c in left + right)


def train_merges(texts: Iterable[str], count: int) -> list[tuple[str, str]]:
    """The `count` most useful allowed merges, greedily by frequency as BPE does."""
    pre = _pre_tokenizer()
    pieces: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        for word, _ in pre.pre_tokenize_str(text):
            pieces[tuple(word)] += 1
    merges = [(_SPACE, letter) for letter in "abcdefghijklmnopqrstuvwxyz"]
    for merge in merges:
        pieces = _apply(pieces, merge)
    while len(merges) < count:
        pairs: Counter[tuple[str, str]] = Counter()
        for piece, n in pieces.items():
            for pair in pairwise(piece):
                if _mergeable(*pair):
                    pairs[pair] += n
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        pieces = _apply(pieces, best)
    return merges


def _apply(pieces: Counter[tuple[str, ...]], merge: tuple[str, str]) -> Counter[tuple[str, ...]]:
    merged: Counter[tuple[str, ...]] = Counter()
    for piece, n in pieces.items():
        out: list[str] = []
        for part in piece:
            if out and (out[-1], part) == merge:
                out[-1] += part
            else:
                out.append(part)
        merged[tuple(out)] += n
    return merged


def build(texts: Iterable[str]) -> Tokenizer:
    """Train on `texts` and return a tokenizer of BASE_SIZE + len(ADDED) tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = train_merges(texts, BASE_SIZE - len(alphabet))
    vocab = {token: i for i, token in enumerate([*alphabet, *(a + b for a, b in merges)])}
    if len(vocab) != BASE_SIZE:
        raise SystemExit("two merges made the same token")
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = _pre_tokenizer()
    tokenizer.decoder = decoders.ByteLevel()
    for text, special in ADDED:
        token = AddedToken(text, normalized=False, special=special)
        (tokenizer.add_special_tokens if special else tokenizer.add_tokens)([token])
    return tokenizer


def tokenizer_config(chat_template: str) -> dict[str, Any]:
    """tokenizer_config.json as QwQ has it."""
    return {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": {
            str(BASE_SIZE + i): {
                "content": text,
                "lstrip": False,
                "normalized": False,
                "rstrip": False,
                "single_word": False,
                "special": special,
            }
            for i, (text, special) in enumerate(ADDED)
        },
        "additional_special_tokens": [text for text, special in ADDED[1:] if special],
        "bos_token": None,
        "chat_template": chat_template,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": 4096,
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
