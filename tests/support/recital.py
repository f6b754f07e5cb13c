"""A tiny model that recites a chain of tokens, whatever it is asked.

As `write_bigram`, but a token may come several times with different ones behind it. For that
the one layer looks back: a token that repeats asks which of some tokens, each there once, it
has seen last, and that decides with it what follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from support.tiny_gguf import SPECIALS, Vocab, byte_level, vocab, write_random

__all__ = ["recital_words", "write_recital"]

_HEAD = 32
# The pair of dimensions that a rotation by position turns least.
_STILL = _HEAD // 2 - 1


def recital_words(texts: Sequence[str], controls: Sequence[str]) -> Vocab:
    """A vocabulary with these texts and control tokens, each a token."""
    # Single letters are there already, as bytes.
    new = [each for each in texts if len(each) > 1 and each not in (*controls, *SPECIALS)]
    base = vocab(new)
    new = [text for text in controls if text not in base.tokens]
    types = (*base.types, *[int(gguf.TokenType.CONTROL)] * len(new))
    return Vocab((*base.tokens, *new), types, base.merges)


def write_recital(
    path: Path,
    chain: Sequence[str],
    *,
    after: Sequence[str],
    controls: Sequence[str] = (),
    turns: Sequence[str] = (),
    end: str = "<|im_end|>",
    context: int = 1024,
    keys: Mapping[str, Any] | None = None,
) -> Path:
    """Recites `chain`, then `end`, behind a prompt whose last token is one of `after`.

    What follows a token that comes several times changes with each of the `turns` between.
    """
    words = recital_words(list(dict.fromkeys(chain)), list(dict.fromkeys([*controls, end])))

    def number(text: str) -> int:
        special = text in words.tokens and words.tokens.index(text) >= 256
        return words.id(text if special else byte_level(text.encode()))

    marks = [number(text) for text in turns]
    path_of = [*map(number, chain), number(end)]
    count = len(words.tokens)
    width = -(-(count + _HEAD) // _HEAD) * _HEAD
    embedding = np.zeros((count, width), np.float32)
    embedding[np.arange(count), np.arange(count)] = 1
    output = np.zeros((count, width), np.float32)
    query, value = (np.zeros((size, width), np.float32) for size in (width, _HEAD))
    key = np.zeros((_HEAD, width), np.float32)
    onward = np.zeros((width, width), np.float32)
    for text in after:
        output[path_of[0], number(text)] = 2
    known: dict[int, list[int]] = {}  # what may follow a token, in the order of its places
    memories: dict[int, int] = {}  # a token that is there once -> its slot
    for place, (now, following) in enumerate(pairwise(path_of)):
        before = known.setdefault(now, [])
        if not before:
            output[following, now] = 2
        elif following != before[-1]:
            mark = next(t for t in reversed(path_of[:place]) if t in marks)
            slot = memories.setdefault(mark, len(memories))
            query[_STILL, now] = 1
            key[_STILL, mark] = 1 + slot
            value[slot, mark] = 1
            onward[count + slot, slot] = 1 / width**0.5
            output[following, now] = max(output[following, now], 1)
            output[following, count + slot] = 1.5
        before.append(following)
    assert len(memories) <= _HEAD
    tensors = {
        "token_embd.weight": embedding,
        "output.weight": output,
        "blk.0.attn_q.weight": query,
        "blk.0.attn_q.bias": np.zeros(width, np.float32),
        "blk.0.attn_k.weight": key,
        "blk.0.attn_k.bias": np.zeros(_HEAD, np.float32),
        "blk.0.attn_v.weight": value,
        "blk.0.attn_v.bias": np.zeros(_HEAD, np.float32),
        "blk.0.attn_output.weight": onward,
        "blk.0.ffn_down.weight": np.zeros((width, _HEAD), np.float32),
    }
    return write_random(
        path,
        layers=1,
        width=width,
        heads=width // _HEAD,
        kv_heads=1,
        ffn=_HEAD,
        context=context,
        words=words,
        keys={"tokenizer.ggml.eos_token_id": words.id(end), **(keys or {})},
        tensors=tensors,
    )
