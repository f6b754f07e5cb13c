"""Small GGUFs of any architecture: the tensors that the mixes ask about, and its keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import encode_header, padded, tensor_bytes
from qwq_gguf.metadata import KeyValue, f32, text, u32
from support.shapes import encode

__all__ = ["DENSE", "EXPERTS", "FUSED", "UNGATED", "Model", "write_gguf"]

DENSE = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
FUSED = ("attn_qkv", "attn_output", "ffn_up", "ffn_down")
UNGATED = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down")
EXPERTS = (
    *("attn_q", "attn_k", "attn_v", "attn_output"),
    *("ffn_gate_inp", "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"),
)


@dataclass(frozen=True)
class Model:
    """A transformer of rows of 512 and 768 weights, eight attention heads; with `alternate`
    every second layer has attention, and the others an MLP.
    """

    architecture: str
    parts: tuple[str, ...] = DENSE
    layers: int = 9
    kv_heads: int = 2
    experts: int = 0
    tied: bool = False
    alternate: bool = False

    def tensors(self) -> Mapping[str, tuple[int, ...]]:
        width, inner, keys = 512, 768, 64 * self.kv_heads
        many = (self.experts,) if self.experts else ()
        shapes: dict[str, tuple[int, ...]] = {
            "attn_q": (width, width),
            "attn_k": (width, keys),
            "attn_v": (width, keys),
            "attn_qkv": (width, width + 2 * keys),
            "attn_output": (width, width),
            "ffn_gate": (width, inner),
            "ffn_up": (width, inner),
            "ffn_down": (inner, width),
            "ffn_gate_inp": (width, *many),
            "ffn_gate_exps": (width, inner, *many),
            "ffn_up_exps": (width, inner, *many),
            "ffn_down_exps": (inner, width, *many),
        }
        found: dict[str, tuple[int, ...]] = {
            "token_embd.weight": (width, 64),
            "output_norm.weight": (width,),
        }
        if not self.tied:
            found["output.weight"] = (width, 64)
        for layer in range(self.layers):
            found[f"blk.{layer}.attn_norm.weight"] = (width,)
            for part in self.parts:
                if not self.alternate or part.startswith("attn") is bool(layer % 2):
                    found[f"blk.{layer}.{part}.weight"] = shapes[part]
        return found


@dataclass
class Record:
    name: str
    shape: tuple[int, ...]
    type: GgmlType
    offset: int
    nbytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.nbytes = tensor_bytes(self.type, self.shape)


def write_gguf(
    model: Model, path: Path, *, fill: bool = False, keys: Iterable[KeyValue] = ()
) -> None:
    """A BF16 file, all zeros that take no space, or random numbers. `keys` are added, if new."""
    records, end = [], 0
    for name, shape in model.tensors().items():
        exact = len(shape) < 2 or "ffn_gate_inp" in name
        records.append(Record(name, shape, GgmlType.F32 if exact else GgmlType.BF16, end))
        end += padded(records[-1].nbytes, 32)
    key = model.architecture
    metadata = [
        text("general.architecture", key),
        u32(f"{key}.block_count", model.layers),
        u32(f"{key}.context_length", 4096),
        u32(f"{key}.embedding_length", 512),
        u32(f"{key}.feed_forward_length", 768),
        u32(f"{key}.attention.head_count", 8),
        u32(f"{key}.attention.head_count_kv", model.kv_heads),
        f32(f"{key}.attention.layer_norm_rms_epsilon", 1e-6),
        u32(f"{key}.vocab_size", 64),
    ]
    if model.experts:
        metadata += [
            u32(f"{key}.expert_count", model.experts),
            u32(f"{key}.expert_used_count", 2),
        ]
    there = {entry.key for entry in metadata}
    metadata += [entry for entry in keys if entry.key not in there]
    random = np.random.default_rng(3)
    with path.open("wb") as file:
        start = file.write(encode_header(metadata, records))
        for record in records if fill else ():
            file.seek(start + record.offset)
            values = (random.standard_t(4, prod(record.shape)) * 0.02).astype("<f4")
            file.write(encode(values, record.type.name))
        file.truncate(start + end)
