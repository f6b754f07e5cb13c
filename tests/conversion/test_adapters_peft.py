"""What PEFT merged and llama.cpp's converter wrote of it; see tests/golden/make_lora.py."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwq_gguf.checkpoint import ShardReader, open_adapter, open_checkpoint
from qwq_gguf.conversion import Conversion, convert
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from qwq_gguf.quantization.running.weights import read_rows
from support.adapters import CASES

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "golden/lora.json").read_text(encoding="utf-8")
)
EXACT = [name for name in CASES if name != "dora"]


def merged(case: str, folder: Path) -> Conversion:
    base, adapters = CASES[case](folder)
    return convert(open_checkpoint(base), adapters=[open_adapter(each) for each in adapters])


@pytest.mark.parametrize("case", EXACT)
def test_the_file_is_that_of_pefts_merge(case: str, tmp_path: Path) -> None:
    out = tmp_path / "model.gguf"
    run_plan(make_plan(merged(case, tmp_path), load_recipe("F32")), out, kernels="ggml")
    assert hashlib.sha256(out.read_bytes()).hexdigest() == GOLDEN[case]["file_sha256"]
    assert len(GOLDEN[case]["changed"]) > 5


def test_lengths_of_dora_are_pefts_to_the_last_bit_or_two(tmp_path: Path) -> None:
    made = merged("dora", tmp_path)
    names = {source.name: tensor for tensor in made.tensors for source in tensor.sources}
    assert len(GOLDEN["dora"]["changed"]) == 6
    with ShardReader() as reader:
        for name, numbers in GOLDEN["dora"]["changed"].items():
            tensor = names[name]
            ours = read_rows(reader, tensor, 0, tensor.rows).view("<f4").ravel()
            theirs = np.array([float.fromhex(number) for number in numbers], np.float32)
            assert ours[:: len(ours) // 7] == pytest.approx(theirs, rel=3e-7, abs=0)
