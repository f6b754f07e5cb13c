"""Checkpoints and GGUFs of real shapes that take no room: headers, then holes of zeros."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.conversion import Conversion, convert
from qwq_gguf.gguf_file import encode_header
from qwq_gguf.metadata import text
from qwq_gguf.quantization import load_recipe, make_plan
from support.checkpoints import byte_tokenizer, write_json, write_sparse_shards

__all__ = ["in_fp8", "sparse_checkpoint", "sparse_gguf"]


def sparse_checkpoint(
    folder: Path,
    config: Mapping[str, Any],
    shapes: Mapping[str, tuple[int, ...]],
    dtypes: Mapping[str, str] | None = None,
    *,
    shards: int = 2,
    tokenizer: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None,
) -> Conversion:
    """What a checkpoint of this config and these tensors means; BF16 unless `dtypes` says. By
    default it has the tiny vocabulary of bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", config)
    for name, content in zip(
        ("tokenizer.json", "tokenizer_config.json"), tokenizer or byte_tokenizer(), strict=True
    ):
        write_json(folder / name, content)
    write_sparse_shards(folder, shapes, shards, dtypes)
    return convert(open_checkpoint(folder))


def in_fp8(
    shapes: Mapping[str, tuple[int, ...]],
) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """With the layers' matrices in blocks of 128 x 128 that share a scale: shapes and dtypes."""
    found: dict[str, tuple[int, ...]] = {}
    dtypes: dict[str, str] = {}
    for name, shape in shapes.items():
        found[name] = shape
        whole = len(shape) != 2 or name.endswith((".mlp.gate.weight", ".eh_proj.weight"))
        if whole or ".layers." not in name or "embed" in name or "head" in name:
            continue
        found[f"{name}_scale_inv"] = (-(-shape[0] // 128), -(-shape[1] // 128))
        dtypes |= {name: "F8_E4M3", f"{name}_scale_inv": "F32"}
    return found, dtypes


def sparse_gguf(made: Conversion, path: Path) -> Path:
    """The file of the checkpoint's own precision, without its vocabulary."""
    plan = make_plan(made, load_recipe("BF16"))
    metadata = [entry for entry in plan.metadata if not entry.key.startswith("tokenizer.")]
    header = encode_header([*metadata, text("tokenizer.ggml.model", "gpt2")], plan.tensors)
    last = plan.tensors[-1]
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + last.offset + last.nbytes + 32)
    return path
