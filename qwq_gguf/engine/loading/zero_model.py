"""Models of zeros: files that make the library compute, and hold nothing.

Zero bytes are valid blocks in every format, and which kernel runs, and for how long, depends on
type and shape only. Such a file is a header and a hole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from qwq_gguf import metadata as kv
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import encode_header, padded, tensor_bytes

__all__ = ["LAYER_MATRICES", "TOKENS", "ZeroModel"]

TOKENS = 64
LAYER_MATRICES = (
    *("attn_q", "attn_k", "attn_v", "attn_output"),
    *("ffn_gate", "ffn_up", "ffn_down"),
)
_ALIGNMENT = 32


@dataclass(frozen=True, slots=True)
class _Tensor:
    name: str
    shape: tuple[int, ...]
    type: GgmlType
    offset: int


@dataclass(frozen=True, slots=True)
class ZeroModel:
    """A dense model of `layers` layers, whose `heads` heads have the numbers of its `width`.

    `kinds` are the types of a layer's matrices by name, of which there are `LAYER_MATRICES`, and
    of `token_embd` and `output`, which have so many `tokens`.
    """

    width: int
    feed_forward: int
    heads: int
    kv_heads: int
    kinds: Mapping[str, GgmlType]
    layers: int = 1
    context: int = 256
    tokens: int = TOKENS

    def layer_bytes(self) -> int:
        """Bytes of the matrices of one layer."""
        return sum(tensor_bytes(self.kinds[name], self._matrix(name)) for name in LAYER_MATRICES)

    def row_length(self) -> float:
        """How many numbers a row of a layer's matrices has, in the mean over rows."""
        shapes = [self._matrix(name) for name in LAYER_MATRICES]
        return sum(wide * rows for wide, rows in shapes) / sum(rows for _, rows in shapes)

    def write(self, path: Path) -> None:
        """Make the file; where a file system knows holes, it takes a few kilobytes."""
        tensors: list[_Tensor] = []
        size = 0
        for name, kind, shape in self._tensors():
            tensors.append(_Tensor(name, shape, kind, size))
            size += padded(tensor_bytes(kind, shape), _ALIGNMENT)
        header = encode_header(self._metadata(), tensors, _ALIGNMENT)
        with path.open("xb") as file:
            file.write(header)
            file.truncate(len(header) + size)

    def _metadata(self) -> tuple[kv.KeyValue, ...]:
        return (
            kv.text("general.architecture", "qwen2"),
            kv.u32("qwen2.block_count", self.layers),
            kv.u32("qwen2.context_length", self.context),
            kv.u32("qwen2.embedding_length", self.width),
            kv.u32("qwen2.feed_forward_length", self.feed_forward),
            kv.u32("qwen2.attention.head_count", self.heads),
            kv.u32("qwen2.attention.head_count_kv", self.kv_heads),
            kv.f32("qwen2.attention.layer_norm_rms_epsilon", 1e-6),
            kv.u32("qwen2.vocab_size", self.tokens),
            # Token ids go in and out: no text, so no vocabulary.
            kv.text("tokenizer.ggml.model", "no_vocab"),
        )

    def _tensors(self) -> Iterator[tuple[str, GgmlType, tuple[int, ...]]]:
        for name in ("token_embd", "output"):
            yield f"{name}.weight", self.kinds[name], (self.width, self.tokens)
        yield "output_norm.weight", GgmlType.F32, (self.width,)
        for layer in range(self.layers):
            for name in LAYER_MATRICES:
                yield f"blk.{layer}.{name}.weight", self.kinds[name], self._matrix(name)
            for name in ("attn_norm", "ffn_norm"):
                yield f"blk.{layer}.{name}.weight", GgmlType.F32, (self.width,)
            for name in ("attn_q", "attn_k", "attn_v"):
                yield f"blk.{layer}.{name}.bias", GgmlType.F32, (self._matrix(name)[1],)

    def _matrix(self, name: str) -> tuple[int, int]:
        """Width and rows of a layer's matrix."""
        kept = self.width // self.heads * self.kv_heads
        shapes = {
            "attn_q": (self.width, self.width),
            "attn_k": (self.width, kept),
            "attn_v": (self.width, kept),
            "attn_output": (self.width, self.width),
            "ffn_down": (self.feed_forward, self.width),
        }
        return shapes.get(name, (self.width, self.feed_forward))
