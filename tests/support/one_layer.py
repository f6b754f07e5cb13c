"""A GGUF of one layer, made of any bytes: for odd types, names and keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import encode_header, padded
from qwq_gguf.metadata import KeyValue, f32, text, u32

__all__ = ["Stored", "write_one_layer"]

WIDTH = 256
PARTS = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
Stored = tuple[tuple[int, ...], GgmlType, bytes]


@dataclass(frozen=True)
class Record:
    name: str
    shape: tuple[int, ...]
    type: GgmlType
    offset: int


def write_one_layer(
    path: Path,
    kind: GgmlType,
    blocks: bytes,
    *,
    keys: Sequence[KeyValue] = (),
    more: Mapping[str, Stored] | None = None,
    alignment: int = 32,
) -> Path:
    """All matrices hold the same `blocks`, in rows of 256 weights; `more` are tensors besides."""
    rows = len(blocks) // kind.row_bytes(WIDTH)
    names = ["token_embd.weight", *(f"blk.0.{part}.weight" for part in PARTS)]
    contents: dict[str, Stored] = dict.fromkeys(names, ((WIDTH, rows), kind, blocks))
    contents["output_norm.weight"] = ((WIDTH,), GgmlType.F32, bytes(4 * WIDTH))
    records, data = [], b""
    for name, (shape, stored, content) in (contents | dict(more or {})).items():
        records.append(Record(name, shape, stored, len(data)))
        data += content + bytes(padded(len(content), alignment) - len(content))
    metadata = [
        text("general.architecture", "qwen2"),
        u32("qwen2.block_count", 1),
        u32("qwen2.context_length", 64),
        u32("qwen2.embedding_length", WIDTH),
        u32("qwen2.feed_forward_length", WIDTH),
        u32("qwen2.attention.head_count", 4),
        f32("qwen2.attention.layer_norm_rms_epsilon", 1.0),
        *keys,
    ]
    path.write_bytes(encode_header(metadata, records, alignment) + data)
    return path
