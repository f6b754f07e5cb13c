"""What llama.cpp's own converter wrote for the same checkpoints; see tests/golden/make.py."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwq_gguf.checkpoint import ShardReader, open_checkpoint
from qwq_gguf.conversion import Conversion, convert
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from support.goldens import (
    CASES,
    LOGITS,
    TOKENS,
    describe_key,
    describe_tensor,
    load_golden,
)
from support.native_logits import native_logits
from support.weights import converter_bytes, file_type_of


@dataclass(frozen=True)
class Case:
    conversion: Conversion
    golden: dict[str, Any]


@pytest.fixture(scope="module", params=list(CASES))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    name: str = request.param
    checkpoint = open_checkpoint(CASES[name](tmp_path_factory.mktemp("golden")))
    return Case(convert(checkpoint), load_golden(name))


def test_every_key_and_its_order(case: Case) -> None:
    file_type = case.conversion.packed or file_type_of(case.conversion)
    ours = [
        describe_key(
            entry.key,
            entry.type.name,
            None if entry.element is None else entry.element.name,
            entry.value,
        )
        for entry in case.conversion.converter_metadata(file_type)
    ]
    assert ours == case.golden["metadata"]


def test_every_tensor_and_its_order(case: Case) -> None:
    ours = []
    with ShardReader() as reader:
        for tensor in case.conversion.converter_order:
            kind, data = converter_bytes(tensor, reader)
            ours.append(describe_tensor(tensor.name, tensor.shape, kind, data))
    assert ours == case.golden["tensors"]


def test_the_file_is_the_same_to_the_byte(case: Case, tmp_path: Path) -> None:
    recipe = load_recipe(file_type_of(case.conversion).name)
    out = tmp_path / "model.gguf"
    run_plan(make_plan(case.conversion, recipe), out)
    assert hashlib.sha256(out.read_bytes()).hexdigest() == case.golden["file_sha256"]


@pytest.mark.parametrize("name", LOGITS)
def test_the_model_computes_what_transformers_computes(name: str, tmp_path: Path) -> None:
    made = convert(open_checkpoint(CASES[name](tmp_path)))
    out = tmp_path / "model.gguf"
    run_plan(make_plan(made, load_recipe("F32")), out, kernels="ggml")
    theirs = np.array(load_golden(name)["logits"].split(), dtype=np.float32)
    assert theirs.std() > 0.1
    assert np.abs(native_logits(out, TOKENS) - theirs).max() < LOGITS[name]


def test_tensors_are_sorted_as_llama_quantize_writes_them(case: Case) -> None:
    names = [tensor.name for tensor in case.conversion.tensors]
    assert sorted(names) == sorted(tensor.name for tensor in case.conversion.converter_order)
    outer = [name for name in names if not name.startswith("blk.")]
    assert names[: len(outer)] == sorted(outer)
    layers = [tensor.layer for tensor in case.conversion.tensors[len(outer) :]]
    assert layers == sorted(layers, key=lambda layer: -1 if layer is None else layer)
