"""A model of a few hundred kilobytes that makes the library use its matrix kernels.

One layer with every weight zero: zero bytes are valid blocks in every format, and which
kernel runs depends on type and shape only. Each matrix has another type, so that one
token of a batch and one alone visit the kernels that real files need.
"""

from __future__ import annotations

from dataclasses import dataclass

from qwq_gguf import metadata as kv
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import encode_header, padded, tensor_bytes

__all__ = ["TOKENS", "probe_model"]

# Rows of whole super-blocks, and enough of them that no kernel declines for size.
_WIDTH = 256
_HEADS = 4
TOKENS = 64
_ALIGNMENT = 32

_MATRICES = (
    ("token_embd.weight", GgmlType.Q4_K, TOKENS),
    ("output.weight", GgmlType.Q6_K, TOKENS),
    ("blk.0.attn_q.weight", GgmlType.Q4_K, _WIDTH),
    ("blk.0.attn_k.weight", GgmlType.Q5_K, _WIDTH),
    ("blk.0.attn_v.weight", GgmlType.Q6_K, _WIDTH),
    ("blk.0.attn_output.weight", GgmlType.Q8_0, _WIDTH),
    ("blk.0.ffn_gate.weight", GgmlType.Q4_0, _WIDTH),
    ("blk.0.ffn_up.weight", GgmlType.IQ4_XS, _WIDTH),
    ("blk.0.ffn_down.weight", GgmlType.Q4_1, _WIDTH),
)
_VECTORS = (
    "output_norm.weight",
    "blk.0.attn_norm.weight",
    "blk.0.ffn_norm.weight",
    "blk.0.attn_q.bias",
    "blk.0.attn_k.bias",
    "blk.0.attn_v.bias",
)


@dataclass(frozen=True, slots=True)
class _Tensor:
    name: str
    shape: tuple[int, ...]
    type: GgmlType
    offset: int


def probe_model() -> bytes:
    """The whole GGUF file."""
    tensors: list[_Tensor] = []
    size = 0
    shapes = [(name, kind, (_WIDTH, rows)) for name, kind, rows in _MATRICES]
    for name, kind, shape in [*shapes, *((name, GgmlType.F32, (_WIDTH,)) for name in _VECTORS)]:
        tensors.append(_Tensor(name, shape, kind, size))
        size += padded(tensor_bytes(kind, shape), _ALIGNMENT)
    metadata = (
        kv.text("general.architecture", "qwen2"),
        kv.u32("qwen2.block_count", 1),
        kv.u32("qwen2.context_length", 256),
        kv.u32("qwen2.embedding_length", _WIDTH),
        kv.u32("qwen2.feed_forward_length", _WIDTH),
        kv.u32("qwen2.attention.head_count", _HEADS),
        kv.u32("qwen2.attention.head_count_kv", _HEADS),
        kv.f32("qwen2.attention.layer_norm_rms_epsilon", 1e-6),
        kv.u32("qwen2.vocab_size", TOKENS),
        # Token ids go in and out: no text, so no vocabulary.
        kv.text("tokenizer.ggml.model", "no_vocab"),
    )
    return encode_header(metadata, tensors, _ALIGNMENT) + bytes(size)
