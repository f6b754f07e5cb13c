"""Conversions of a given shape: the tensors a real model has, without its vocabulary.

`weights` fills a file with random numbers, for tests that quantize; without it the file
is not made, for tests that only plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from qwq_gguf.checkpoint.values import TensorInfo
from qwq_gguf.conversion.values import (
    ComputedTensor,
    Conversion,
    ModelFacts,
    RowOrder,
    SourceTensor,
)
from qwq_gguf.metadata import KeyValue, f32, text, u32

WIDTH = {"BF16": 2, "F16": 2, "F32": 4}


@dataclass(frozen=True)
class Shape:
    """The sizes of a dense transformer."""

    architecture: str
    embedding: int
    layers: int
    heads: int
    kv_heads: int
    feed_forward: int
    vocab: int
    tied: bool = False

    @property
    def head(self) -> int:
        return self.embedding // self.heads

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """GGUF names and shapes, row length first."""
        wide, inner, keys = self.embedding, self.feed_forward, self.head * self.kv_heads
        found: dict[str, tuple[int, ...]] = {
            "token_embd.weight": (wide, self.vocab),
            "output_norm.weight": (wide,),
        }
        if not self.tied:
            found["output.weight"] = (wide, self.vocab)
        for layer in range(self.layers):
            parts: dict[str, tuple[int, ...]] = {
                "attn_norm.weight": (wide,),
                "attn_q.weight": (wide, wide),
                "attn_k.weight": (wide, keys),
                "attn_v.weight": (wide, keys),
                "attn_output.weight": (wide, wide),
                "ffn_norm.weight": (wide,),
                "ffn_gate.weight": (wide, inner),
                "ffn_up.weight": (wide, inner),
                "ffn_down.weight": (inner, wide),
            }
            if self.architecture == "qwen2":
                parts |= {
                    "attn_q.bias": (wide,),
                    "attn_k.bias": (keys,),
                    "attn_v.bias": (keys,),
                }
            found |= {f"blk.{layer}.{name}": shape for name, shape in parts.items()}
        return found


QWQ_32B = Shape("qwen2", 5120, 64, 40, 8, 27648, 152064)
R1_7B = Shape("qwen2", 3584, 28, 28, 4, 18944, 152064)
LLAMA_70B = Shape("llama", 8192, 80, 64, 8, 28672, 128256)
QWEN_05B = Shape("qwen2", 896, 24, 14, 2, 4864, 151936, tied=True)
QWEN_72B = Shape("qwen2", 8192, 80, 64, 8, 29568, 152064)
DEMO = Shape("qwen2", 256, 6, 4, 2, 768, 512)
TINY_LLAMA = Shape("llama", 256, 3, 4, 2, 512, 320)


def conversion(shape: Shape, file: Path, dtype: str = "BF16") -> Conversion:
    """A conversion whose tensors lie one after another in `file`."""
    tensors: list[SourceTensor] = []
    start = 0
    for name, sizes in shape.tensors().items():
        nbytes = prod(sizes) * WIDTH[dtype]
        info = TensorInfo(f"source.{name}", dtype, sizes[::-1], file, start, nbytes)
        start += nbytes
        order = None
        if shape.architecture == "llama" and name.endswith(("attn_q.weight", "attn_k.weight")):
            half = shape.head // 2
            order = RowOrder(tuple(i // 2 + i % 2 * half for i in range(shape.head)))
        layer = int(name.split(".")[1]) if name.startswith("blk.") else None
        tensors.append(SourceTensor(name, sizes, (info,), layer, order))
    if shape.architecture == "llama":
        factors = np.linspace(1, 8, shape.head // 2, dtype="<f4")
        made = ComputedTensor("rope_freqs.weight", factors.shape, factors.tobytes())
        tensors.insert(0, SourceTensor(made.name, made.shape, (made,)))
    metadata = keys(shape)
    return Conversion(
        architecture=shape.architecture,
        name="shape",
        facts=ModelFacts(
            architecture=shape.architecture,
            layers=shape.layers,
            heads=shape.heads,
            kv_heads=shape.kv_heads,
            experts=0,
            embedding=shape.embedding,
            vocab=shape.vocab,
            tied=shape.tied,
            context=4096,
        ),
        metadata=metadata,
        tensors=tuple(sorted(tensors, key=lambda tensor: tensor.order)),
        converter_order=tuple(tensors),
        file_type_at=len(metadata) - 1,
        quantization_version_at=len(metadata) - 1,
    )


def keys(shape: Shape) -> tuple[KeyValue, ...]:
    """As little metadata as llama-quantize accepts."""
    arch = shape.architecture
    return (
        text("general.architecture", arch),
        text("general.name", "shape"),
        u32(f"{arch}.block_count", shape.layers),
        u32(f"{arch}.context_length", 4096),
        u32(f"{arch}.embedding_length", shape.embedding),
        u32(f"{arch}.feed_forward_length", shape.feed_forward),
        u32(f"{arch}.attention.head_count", shape.heads),
        u32(f"{arch}.attention.head_count_kv", shape.kv_heads),
        f32(f"{arch}.attention.layer_norm_rms_epsilon", 1e-6),
        u32(f"{arch}.vocab_size", shape.vocab),
        text("tokenizer.ggml.model", "gpt2"),
    )


def write_weights(made: Conversion, seed: int = 0) -> None:
    """Fill the conversion's file with heavy-tailed numbers, as trained weights are."""
    rng = np.random.default_rng(seed)
    infos = sorted(
        (info for t in made.tensors for info in t.sources if isinstance(info, TensorInfo)),
        key=lambda info: info.start,
    )
    with infos[0].shard.open("wb") as file:
        for info in infos:
            values = (rng.standard_t(4, prod(info.shape)) * 0.02).astype("<f4")
            file.write(encode(values, info.dtype))


def encode(values: np.ndarray, dtype: str) -> bytes:
    """Float32 numbers as a safetensors dtype; BF16 rounds to nearest even."""
    if dtype == "F32":
        return values.tobytes()
    if dtype == "F16":
        return values.astype("<f2").tobytes()
    bits = values.view("<u4").astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2").tobytes()


# Small, because some formats are slow, with grouped attention, enough layers for every
# kind of layer rule, and rows of more than one block.
LITTLE_QWEN = Shape("qwen2", 256, 8, 4, 1, 512, 48)
LITTLE_LLAMA = Shape("llama", 256, 2, 4, 2, 256, 32)
RAGGED_TIED = Shape("qwen2", 288, 3, 9, 3, 800, 64, tied=True)
