"""Weights with scales: which are read, and how, and which are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.checkpoint import Checkpoint, TensorInfo, open_checkpoint
from qwq_gguf.conversion import convert
from qwq_gguf.conversion.parts import Part, Scales
from qwq_gguf.errors import ConfigError, QwqGgufError, TensorError, UnsupportedError
from support.checkpoints import in_bytes, write_checkpoint

BLOCKS: dict[str, Any] = {"quant_method": "fp8", "weight_block_size": [128, 128]}
UP = "model.layers.0.mlp.up_proj.weight"


def fp8(folder: Path, told: Mapping[str, Any] = BLOCKS, **options: Any) -> Checkpoint:
    settings: dict[str, Any] = {"ending": ".weight_scale_inv", "block": (128, 128)} | options
    folder = write_checkpoint(
        folder / "model", encode=partial(in_bytes, **settings), quantization_config=dict(told)
    )
    return open_checkpoint(folder)


def test_it_is_said(tmp_path: Path) -> None:
    made = convert(fp8(tmp_path))
    assert "14 tensors are FP8: read as BF16, each weight times its scale" in made.notes
    stored = {tensor.name: tensor.stored.name for tensor in made.tensors}
    assert set(stored.values()) == {"BF16"}
    assert not any("scale" in name for name in stored)


@pytest.mark.parametrize(
    "told",
    [
        {"quant_method": "modelopt", "quant_algo": "FP8"},
        {
            "quant_method": "compressed-tensors",
            "format": "float-quantized",
            "config_groups": {"a": {"weights": {"num_bits": 8, "strategy": "tensor"}}},
        },
    ],
    ids=lambda told: str(told["quant_method"]),
)
def test_one_scale_for_a_tensor(tmp_path: Path, told: Mapping[str, Any]) -> None:
    made = convert(fp8(tmp_path, told, ending=".weight_scale", block=None))
    up = next(tensor for tensor in made.tensors if tensor.name == "blk.0.ffn_up.weight")
    (source,) = up.sources
    assert isinstance(source, Part)
    assert isinstance(source.scales, Scales)
    assert (source.scales.rows, source.scales.columns) == (512, 256)


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "modelopt, NVFP4"),
        (
            {"quant_method": "compressed-tensors", "format": "pack-quantized"},
            "compressed-tensors, pack-quantized",
        ),
        (
            {"quant_method": "compressed-tensors", "format": "float-quantized"},
            "compressed-tensors, float-quantized",
        ),
        (
            {"quant_method": "auto-round", "bits": 4, "packing_format": "auto_round:auto_gptq"},
            "auto-round, 4 bits",
        ),
        ({"quant_method": "gptq", "bits": 3, "group_size": 128}, "gptq, 3 bits"),
        (
            {"quant_method": "gptq", "bits": 4, "is_marlin_format": True},
            "gptq, packed for Marlin, 4 bits",
        ),
        (
            {"quant_method": "gptq", "bits": 4, "checkpoint_format": "marlin"},
            "gptq, packed for Marlin, 4 bits",
        ),
        ({"quant_method": "awq", "bits": 4, "version": "gemv"}, "awq, 4 bits"),
        ({"quant_method": ["fp8"]}, "['fp8']"),
    ],
    ids=str,
)
def test_what_else_there_is_is_refused_by_name(
    tmp_path: Path, told: Mapping[str, Any], found: str
) -> None:
    with pytest.raises(UnsupportedError, match="quantized already") as raised:
        convert(fp8(tmp_path, told))
    assert raised.value.found == found
    assert "take the original weights" in str(raised.value.hint)
    assert "GPTQ of 2, 4 or 8 bits" in str(raised.value.expected)


@pytest.mark.parametrize("block", [[128], [0, 128], [128, 1 << 40], "128", [1.5, 2], [True, 1]])
def test_absurd_blocks(tmp_path: Path, block: object) -> None:
    with pytest.raises(ConfigError, match="no block of weights"):
        convert(fp8(tmp_path, {**BLOCKS, "weight_block_size": block}))


CHANGES: dict[str, tuple[Callable[[TensorInfo], TensorInfo], str]] = {
    "another shape": (lambda info: replace(info, shape=(3, 2)), "does not fit"),
    "too many dimensions": (lambda info: replace(info, shape=(4, 2, 1)), "does not fit"),
    "no numbers": (lambda info: replace(info, dtype="I64"), "scales of this data type"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_scales_that_do_not_fit(tmp_path: Path, change: str) -> None:
    checkpoint = fp8(tmp_path)
    changed, message = CHANGES[change]
    name = UP + "_scale_inv"
    tensors = {**checkpoint.tensors, name: changed(checkpoint.tensors[name])}
    with pytest.raises((TensorError, UnsupportedError), match=message):
        convert(replace(checkpoint, tensors=tensors))


def test_bytes_without_scales(tmp_path: Path) -> None:
    checkpoint = fp8(tmp_path)
    tensors = dict(checkpoint.tensors)
    del tensors[UP + "_scale_inv"]
    with pytest.raises(UnsupportedError, match=r"up_proj.*cannot be converted"):
        convert(replace(checkpoint, tensors=tensors))


def test_scales_of_what_needs_none(tmp_path: Path) -> None:
    checkpoint = fp8(tmp_path)
    tensors = dict(checkpoint.tensors)
    tensors[UP] = replace(tensors[UP], dtype="BF16")
    with pytest.raises(UnsupportedError, match="numbers of one byte"):
        convert(replace(checkpoint, tensors=tensors))


def test_scales_of_nothing_are_unknown_tensors(tmp_path: Path) -> None:
    checkpoint = fp8(tmp_path)
    name = "model.layers.0.mlp.cheek_proj.weight_scale_inv"
    info = checkpoint.tensors[UP + "_scale_inv"]
    with pytest.raises(QwqGgufError) as raised:
        convert(replace(checkpoint, tensors={**checkpoint.tensors, name: info}))
    assert name in str(raised.value.found)


def test_scales_of_activations_are_left_out(tmp_path: Path) -> None:
    checkpoint = fp8(tmp_path)
    more = {
        UP.replace(".weight", ending): replace(checkpoint.tensors[UP], shape=(), dtype="F32")
        for ending in (".activation_scale", ".input_scale")
    }
    made = convert(replace(checkpoint, tensors={**checkpoint.tensors, **more}))
    assert len(made.tensors) == len(convert(checkpoint).tensors)
