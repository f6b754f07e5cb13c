"""Whatever is done to a GGUF's header, quantizing it ends in a whole file or in a typed error."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.conversion.from_gguf import from_gguf
from qwq_gguf.errors import QwqGgufError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import read_gguf, read_splits
from qwq_gguf.metadata import ValueType, array, text
from qwq_gguf.preparation import prepare
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from qwq_gguf.quantization.planning.requantize import check_requantizing
from support.gguf_fuzz import mutate
from support.one_layer import write_one_layer

MUTANTS = 150


@pytest.mark.parametrize("seed", range(3))
def test_damaged_headers(tmp_path: Path, seed: int) -> None:
    path, out = tmp_path / "a.gguf", tmp_path / "out.gguf"
    weights = np.random.default_rng(0).normal(0, 1, (4, 256)).astype("<f2")
    keys = [
        text("general.name", "QwQ"),
        array("tokenizer.ggml.tokens", ValueType.STRING, [f"t{i}" for i in range(70)]),
        array("tokenizer.ggml.token_type", ValueType.INT32, [1] * 70),
    ]
    whole = write_one_layer(path, GgmlType.F16, weights.tobytes(), keys=keys).read_bytes()
    end = read_gguf(path).data_offset
    rng = random.Random(seed)
    made = 0
    for _ in range(MUTANTS):
        path.write_bytes(mutate(whole[:end], rng) + whole[end:])
        try:
            conversion = prepare(from_gguf(read_splits(path))).conversion
            plan = make_plan(conversion, load_recipe("Q4_0"))
            check_requantizing(plan, allowed=True)
            run_plan(plan, out, kernels="ggml")
        except QwqGgufError:
            assert not out.exists()
            continue
        assert len(read_gguf(out).tensors) == len(plan.tensors)
        out.unlink()
        made += 1
    assert 0 < made < MUTANTS, "the damage is too small or too large to tell anything"
