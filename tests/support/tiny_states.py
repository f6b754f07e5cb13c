"""Tiny random models whose state cannot be cut: recurrent, hybrid, with sliding windows.

Written with the gguf package. The vocabulary and the chat template are `tiny_gguf`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from support.tiny_gguf import Vocab, tokenizer_keys, vocab, write_gguf

__all__ = ["WINDOW", "write_lfm2", "write_mamba", "write_sliding"]

Array = npt.NDArray[np.float32]

WINDOW = 8
"""Tokens that the sliding layers of `write_sliding` look at."""

_WIDTH = 64


class _Weights:
    """Random matrices under their names."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.all: dict[str, Array] = {}

    def matrix(self, name: str, rows: int, columns: int, scale: float = 1.0) -> None:
        values = self._random.standard_normal((rows, columns)).astype(np.float32)
        self.all[name] = values * np.float32(scale / columns**0.5)

    def ones(self, name: str, size: int) -> None:
        self.all[name] = np.ones(size, np.float32)

    def zeros(self, name: str, size: int) -> None:
        self.all[name] = np.zeros(size, np.float32)


def write_mamba(path: Path, *, layers: int = 2, seed: int = 0) -> Path:
    """Recurrent through and through."""
    words, inner, states, rank, kernel = vocab(), 2 * _WIDTH, 16, 4, 4
    weights = _begun(words, seed)
    for layer in range(layers):
        block = f"blk.{layer}."
        weights.ones(f"{block}attn_norm.weight", _WIDTH)
        weights.matrix(f"{block}ssm_in.weight", 2 * inner, _WIDTH)
        weights.matrix(f"{block}ssm_conv1d.weight", inner, kernel)
        weights.zeros(f"{block}ssm_conv1d.bias", inner)
        weights.matrix(f"{block}ssm_x.weight", rank + 2 * states, inner)
        weights.matrix(f"{block}ssm_dt.weight", inner, rank)
        weights.zeros(f"{block}ssm_dt.bias", inner)
        decay = -np.arange(1, states + 1, dtype=np.float32) / np.float32(states)
        weights.all[f"{block}ssm_a"] = np.tile(decay, (inner, 1))
        weights.ones(f"{block}ssm_d", inner)
        weights.matrix(f"{block}ssm_out.weight", _WIDTH, inner)
    keys = _keys("mamba", layers, words) | {
        "mamba.ssm.conv_kernel": kernel,
        "mamba.ssm.inner_size": inner,
        "mamba.ssm.state_size": states,
        "mamba.ssm.time_step_rank": rank,
        "mamba.feed_forward_length": 0,
        "mamba.attention.head_count": 0,
    }
    full = {f"blk.{layer}.ssm_conv1d.weight" for layer in range(layers)}
    full |= {f"blk.{layer}.ssm_a" for layer in range(layers)}
    return write_gguf(path, keys, weights.all, full=full)


def write_lfm2(path: Path, *, seed: int = 0) -> Path:
    """Two convolutions with a state and, between them, a layer of attention."""
    words, feed, kernel, heads, kv_heads = vocab(), 96, 3, 4, 2
    head = _WIDTH // heads
    weights = _begun(words, seed, norm="token_embd_norm.weight")
    for layer, attends in enumerate((False, True, False)):
        block = f"blk.{layer}."
        weights.ones(f"{block}attn_norm.weight", _WIDTH)
        weights.ones(f"{block}ffn_norm.weight", _WIDTH)
        weights.matrix(f"{block}ffn_gate.weight", feed, _WIDTH)
        weights.matrix(f"{block}ffn_up.weight", feed, _WIDTH)
        weights.matrix(f"{block}ffn_down.weight", _WIDTH, feed)
        if attends:
            weights.ones(f"{block}attn_q_norm.weight", head)
            weights.ones(f"{block}attn_k_norm.weight", head)
            weights.matrix(f"{block}attn_q.weight", _WIDTH, _WIDTH)
            weights.matrix(f"{block}attn_k.weight", kv_heads * head, _WIDTH)
            weights.matrix(f"{block}attn_v.weight", kv_heads * head, _WIDTH)
            weights.matrix(f"{block}attn_output.weight", _WIDTH, _WIDTH)
        else:
            weights.matrix(f"{block}shortconv.conv.weight", _WIDTH, kernel)
            weights.matrix(f"{block}shortconv.in_proj.weight", 3 * _WIDTH, _WIDTH)
            weights.matrix(f"{block}shortconv.out_proj.weight", _WIDTH, _WIDTH)
    keys = _keys("lfm2", 3, words) | {
        "lfm2.feed_forward_length": feed,
        "lfm2.shortconv.l_cache": kernel,
        "lfm2.attention.head_count": heads,
        "lfm2.attention.head_count_kv": [0, kv_heads, 0],
        "lfm2.rope.freq_base": 10000.0,
        "lfm2.vocab_size": len(words.tokens),
    }
    full = {f"blk.{layer}.shortconv.conv.weight" for layer in (0, 2)}
    return write_gguf(path, keys, weights.all, full=full)


def write_sliding(path: Path, *, seed: int = 0) -> Path:
    """Gemma 2: every other layer looks at the last `WINDOW` tokens only."""
    words, feed, heads, kv_heads = vocab(), 96, 4, 2
    head = _WIDTH // heads
    weights = _begun(words, seed)
    del weights.all["output.weight"]  # Gemma has none of its own
    weights.matrix("token_embd.weight", len(words.tokens), _WIDTH, 0.05)
    for layer in range(4):
        block = f"blk.{layer}."
        for norm in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"):
            weights.ones(f"{block}{norm}.weight", _WIDTH)
        weights.matrix(f"{block}attn_q.weight", _WIDTH, _WIDTH)
        weights.matrix(f"{block}attn_k.weight", kv_heads * head, _WIDTH)
        weights.matrix(f"{block}attn_v.weight", kv_heads * head, _WIDTH)
        weights.matrix(f"{block}attn_output.weight", _WIDTH, _WIDTH)
        weights.matrix(f"{block}ffn_gate.weight", feed, _WIDTH)
        weights.matrix(f"{block}ffn_up.weight", feed, _WIDTH)
        weights.matrix(f"{block}ffn_down.weight", _WIDTH, feed)
    keys = _keys("gemma2", 4, words) | {
        "gemma2.feed_forward_length": feed,
        "gemma2.attention.head_count": heads,
        "gemma2.attention.head_count_kv": kv_heads,
        "gemma2.attention.key_length": head,
        "gemma2.attention.value_length": head,
        "gemma2.attention.sliding_window": WINDOW,
    }
    return write_gguf(path, keys, weights.all)


def _begun(words: Vocab, seed: int, *, norm: str = "output_norm.weight") -> _Weights:
    """Embeddings small beside what the layers add, so that the text depends on those."""
    weights = _Weights(seed)
    weights.matrix("token_embd.weight", len(words.tokens), _WIDTH, 0.5)
    weights.matrix("output.weight", len(words.tokens), _WIDTH, 4.0)
    weights.ones(norm, _WIDTH)
    return weights


def _keys(architecture: str, layers: int, words: Vocab) -> dict[str, Any]:
    return {
        "general.architecture": architecture,
        "general.name": f"Tiny {architecture}",
        f"{architecture}.block_count": layers,
        f"{architecture}.context_length": 512,
        f"{architecture}.embedding_length": _WIDTH,
        f"{architecture}.attention.layer_norm_rms_epsilon": 1e-6,
        **tokenizer_keys(words),
    }
