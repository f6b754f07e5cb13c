"""GGUF files of chosen keys and tensors, their data zeros, for tests that only look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import encode_header, padded
from qwq_gguf.metadata import KeyValue, ValueType, array, boolean, f32, text, u32

__all__ = ["Record", "qwq_keys", "qwq_tensors", "write_header_file"]


@dataclass(frozen=True)
class Record:
    """A row of the tensor table."""

    name: str
    shape: tuple[int, ...]
    type: GgmlType
    offset: int = 0


def write_header_file(
    path: Path, keys: Iterable[KeyValue], tensors: Iterable[Record] = (), extra: bytes = b""
) -> Path:
    """A file of these keys and tensors, the data a hole, `extra` bytes at the end."""
    placed, offset = [], 0
    for tensor in tensors:
        placed.append(Record(tensor.name, tensor.shape, tensor.type, offset))
        rows = prod(tensor.shape[1:])
        offset += padded(tensor.type.row_bytes(tensor.shape[0]) * rows, 32)
    header = encode_header(list(keys), placed)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + offset)
        file.seek(0, 2)
        file.write(extra)
    return path


TOKENS = ("a", "b", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")
TEMPLATE = (
    "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}"
    "{{- '<|im_start|>assistant\\n<think>\\n' }}{%- endif %}"
)


def qwq_keys(**changes: KeyValue | None) -> list[KeyValue]:
    """Keys of a well-made small reasoner; a change named by its key with `__` for `.`.

    A change to None leaves the key out; a new key is added.
    """
    keys = {
        entry.key: entry
        for entry in (
            text("general.architecture", "qwen2"),
            text("general.name", "Tiny"),
            f32("general.sampling.temp", 0.6),
            u32("general.sampling.top_k", 40),
            text("general.sampling.sequence", "temperature;top_k;top_p;min_p;penalties"),
            u32("qwen2.block_count", 2),
            u32("qwen2.context_length", 131072),
            u32("qwen2.embedding_length", 256),
            u32("qwen2.attention.head_count", 4),
            f32("qwen2.rope.freq_base", 1e6),
            text("qwen2.rope.scaling.type", "yarn"),
            f32("qwen2.rope.scaling.factor", 4.0),
            u32("qwen2.rope.scaling.original_context_length", 32768),
            text("tokenizer.ggml.model", "gpt2"),
            text("tokenizer.ggml.pre", "qwen2"),
            array("tokenizer.ggml.tokens", ValueType.STRING, TOKENS),
            array("tokenizer.ggml.token_type", ValueType.INT32, [1, 1, 3, 3, 3, 4, 4]),
            array("tokenizer.ggml.merges", ValueType.STRING, ["a b"]),
            u32("tokenizer.ggml.eos_token_id", 4),
            u32("tokenizer.ggml.padding_token_id", 2),
            boolean("tokenizer.ggml.add_bos_token", False),
            text("tokenizer.chat_template", TEMPLATE),
            u32("general.quantization_version", 2),
            u32("general.file_type", 15),
        )
    }
    for name, entry in changes.items():
        key = name.replace("__", ".")
        if entry is None:
            del keys[key]
        else:
            keys[key] = entry
    return list(keys.values())


def qwq_tensors() -> list[Record]:
    """Tensors to go with these keys."""
    return [
        Record("output.weight", (256, 7), GgmlType.Q6_K),
        Record("output_norm.weight", (256,), GgmlType.F32),
        Record("token_embd.weight", (256, 7), GgmlType.Q4_K),
        *(Record(f"blk.{layer}.ffn_up.weight", (256, 16), GgmlType.Q4_K) for layer in range(2)),
    ]
