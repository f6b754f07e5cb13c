"""Tiny Qwen2 GGUF files, written with the gguf package so that our own writer is not its judge.

`write_random` has random weights: real arithmetic, meaningless text. `write_bigram` has
weights by which every token is followed by a chosen one: real text without training.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

__all__ = [
    "SPECIALS",
    "TEMPLATE",
    "Vocab",
    "byte_level",
    "tokenizer_keys",
    "vocab",
    "write_bigram",
    "write_gguf",
    "write_random",
]

Array = npt.NDArray[np.float32]

CONTROLS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
USER_DEFINED = ("<think>", "</think>", "<tool_call>", "</tool_call>")
SPECIALS = CONTROLS + USER_DEFINED

TEMPLATE = (
    "{%- for message in messages %}"
    "{%- set content = message.content %}"
    "{%- if message.role == 'assistant' %}"
    "{%- set content = content.split('</think>')[-1].lstrip('\\n') %}"
    "{%- endif %}"
    "{{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<think>\\n' }}{%- endif %}"
)


def byte_level(raw: bytes) -> str:
    """Bytes as the printable characters that byte-level BPE writes them with."""
    table = _byte_characters()
    return "".join(table[byte] for byte in raw)


def _byte_characters() -> dict[int, str]:
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {byte: chr(byte) for byte in printable}
    others = [byte for byte in range(256) if byte not in table]
    return table | {byte: chr(256 + index) for index, byte in enumerate(others)}


@dataclass(frozen=True)
class Vocab:
    """Token texts as stored, their types and the merges that reach them."""

    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...]

    def id(self, text: str) -> int:
        return self.tokens.index(text)


def vocab(extra: Sequence[str] = ()) -> Vocab:
    """256 bytes, some merged words, runs of dashes up to 64 bytes, `extra`, the specials.

    `extra` are plain texts without merges: generated only, never met when encoding.
    """
    table = _byte_characters()
    tokens = [table[byte] for byte in range(256)]
    merges: list[str] = []

    def merge(left: bytes, right: bytes) -> None:
        merges.append(f"{byte_level(left)} {byte_level(right)}")
        tokens.append(byte_level(left + right))

    for left, right in [(b"t", b"h"), (b"th", b"e"), (b" ", b"the"), (b"i", b"n"), (b"in", b"g")]:
        merge(left, right)
    for size in (1, 2, 4, 8, 16, 32):
        merge(b"-" * size, b"-" * size)
    tokens += [byte_level(text.encode()) for text in extra]
    types = [int(gguf.TokenType.NORMAL)] * len(tokens)
    tokens += SPECIALS
    types += [int(gguf.TokenType.CONTROL)] * len(CONTROLS)
    types += [int(gguf.TokenType.USER_DEFINED)] * len(USER_DEFINED)
    return Vocab(tuple(tokens), tuple(types), tuple(merges))


def write_random(
    path: Path,
    *,
    seed: int = 0,
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    kv_heads: int = 2,
    ffn: int = 96,
    context: int = 512,
    words: Vocab | None = None,
    keys: Mapping[str, Any] | None = None,
    tensors: Mapping[str, Array] | None = None,
) -> Path:
    """A random model. `keys` replaces or (None) removes keys, `tensors` replaces weights."""
    words = words or vocab()
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> Array:
        values: Array = random.standard_normal((rows, columns)).astype(np.float32)
        return values / np.float32(columns**0.5)

    head = width // heads
    weights: dict[str, Array] = {
        "token_embd.weight": matrix(len(words.tokens), width) * 8,
        "output_norm.weight": np.ones(width, np.float32),
        "output.weight": matrix(len(words.tokens), width) * 4,
    }
    for layer in range(layers):
        weights |= {
            f"blk.{layer}.attn_norm.weight": np.ones(width, np.float32),
            f"blk.{layer}.ffn_norm.weight": np.ones(width, np.float32),
            f"blk.{layer}.attn_q.weight": matrix(width, width),
            f"blk.{layer}.attn_q.bias": matrix(1, width)[0],
            f"blk.{layer}.attn_k.weight": matrix(kv_heads * head, width),
            f"blk.{layer}.attn_k.bias": matrix(1, kv_heads * head)[0],
            f"blk.{layer}.attn_v.weight": matrix(kv_heads * head, width),
            f"blk.{layer}.attn_v.bias": matrix(1, kv_heads * head)[0],
            f"blk.{layer}.attn_output.weight": matrix(width, width),
            f"blk.{layer}.ffn_gate.weight": matrix(ffn, width),
            f"blk.{layer}.ffn_up.weight": matrix(ffn, width),
            f"blk.{layer}.ffn_down.weight": matrix(width, ffn),
        }
    metadata: dict[str, Any] = {
        "general.name": "Tiny",
        "qwen2.block_count": layers,
        "qwen2.context_length": context,
        "qwen2.embedding_length": width,
        "qwen2.feed_forward_length": ffn,
        "qwen2.attention.head_count": heads,
        "qwen2.attention.head_count_kv": kv_heads,
        "qwen2.attention.layer_norm_rms_epsilon": 1e-6,
        **tokenizer_keys(words),
    }
    return write_gguf(path, metadata | dict(keys or {}), weights | dict(tensors or {}))


def write_bigram(
    path: Path,
    follows: Mapping[str, str],
    *,
    words: Vocab,
    context: int = 512,
    keys: Mapping[str, Any] | None = None,
) -> Path:
    """A model in which each token text (as stored) is followed by the one `follows` names.

    Attention and feed-forward add nothing, the embedding says which token it was, and
    the output matrix says which comes next; tokens without an entry are followed by the
    end of the turn.
    """
    count = len(words.tokens)
    width = -(-count // 32) * 32
    end = words.id("<|im_end|>")
    embedding = np.zeros((count, width), np.float32)
    output = np.zeros((count, width), np.float32)
    for token, text in enumerate(words.tokens):
        embedding[token, token] = 1
        target = words.id(follows[text]) if text in follows else end
        output[target, token] = 2  # times sqrt(width) after the norm: certain
    zeros = {
        f"blk.0.{name}.weight": np.zeros(shape, np.float32)
        for name, shape in (("attn_output", (width, width)), ("ffn_down", (width, 32)))
    }
    return write_random(
        path,
        layers=1,
        width=width,
        heads=width // 32,
        kv_heads=1,
        ffn=32,
        context=context,
        words=words,
        keys=keys,
        tensors={"token_embd.weight": embedding, "output.weight": output, **zeros},
    )


def tokenizer_keys(words: Vocab) -> dict[str, Any]:
    """What a GGUF says of this vocabulary and its chats."""
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": list(words.tokens),
        "tokenizer.ggml.token_type": list(words.types),
        "tokenizer.ggml.merges": list(words.merges),
        "tokenizer.ggml.eos_token_id": words.id("<|im_end|>"),
        "tokenizer.ggml.padding_token_id": words.id("<|endoftext|>"),
        "tokenizer.ggml.bos_token_id": words.id("<|endoftext|>"),
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": TEMPLATE,
    }


def write_gguf(
    path: Path,
    metadata: Mapping[str, Any],
    weights: Mapping[str, Array],
    *,
    full: Collection[str] = (),
) -> Path:
    """A GGUF of these keys and weights: matrices in half precision but for those in `full`."""
    writer = gguf.GGUFWriter(path, metadata.get("general.architecture", "qwen2"))
    for key, value in metadata.items():
        if value is None or key == "general.architecture":
            continue
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_array(key, value)
    for name, weight in weights.items():
        # As a real file has them.
        half = weight.ndim == 2 and name not in full
        writer.add_tensor(name, weight.astype(np.float16) if half else weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
