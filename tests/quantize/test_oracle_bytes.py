"""Whole files equal, byte for byte, what llama.cpp's two steps make.

Its first step is stood in for by our own file of the checkpoint's precision, whose
content test_run.py and the conversion's goldens check; the second is the real
llama_model_quantize.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.convert.values import Conversion
from qwq_gguf.errors import PlanError
from qwq_gguf.ggml_types import FileType
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.quantize import load_recipe, make_plan, recipe_names, run_plan
from support.llama_quantize import LlamaQuantizeError, quantize
from support.shapes import Shape, conversion, write_weights

# Small, because the codebook formats are slow, yet with grouped attention, enough layers
# for every kind of layer rule, and rows of more than one block.
QWEN = Shape("qwen2", 256, 8, 4, 1, 512, 48)
LLAMA = Shape("llama", 256, 2, 4, 2, 256, 32)
TIED = Shape("qwen2", 288, 3, 9, 3, 800, 64, tied=True)

FLOATS = ("F32", "F16", "BF16")
PACKED = [name for name in recipe_names() if name not in FLOATS]
PLAIN = [name for name in PACKED if not load_recipe(name).needs_imatrix]


def importance(made: Conversion) -> dict[str, np.ndarray]:
    """As an ordinary imatrix has it: every layer's matrices, not the embedding or output."""
    rng = np.random.default_rng(3)
    return {
        tensor.name: rng.gamma(0.5, 1.0, tensor.shape[0]).astype(np.float32)
        for tensor in made.tensors
        if tensor.layer is not None and len(tensor.shape) == 2
    }


def both(
    folder: Path,
    shape: Shape,
    name: str,
    dtype: str = "BF16",
    *,
    imatrix: bool = False,
) -> tuple[Path, Path]:
    """Our file and theirs."""
    made = conversion(shape, folder / "weights.bin", dtype)
    write_weights(made)
    base = folder / "base.gguf"
    run_plan(make_plan(made, load_recipe(dtype)), base)
    weights = importance(made) if imatrix else None
    plan = make_plan(made, load_recipe(name), imatrix=weights)
    run_plan(plan, folder / "ours.gguf", imatrix=weights)
    quantize(base, folder / "theirs.gguf", plan.file_type, imatrix=weights)
    return folder / "ours.gguf", folder / "theirs.gguf"


@pytest.mark.parametrize("name", PLAIN)
def test_files_without_an_imatrix(tmp_path: Path, name: str) -> None:
    ours, theirs = both(tmp_path, QWEN, name)
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("name", PACKED)
def test_files_with_an_imatrix(tmp_path: Path, name: str) -> None:
    ours, theirs = both(tmp_path, LLAMA, name, imatrix=True)
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("dtype", ["F16", "F32"])
@pytest.mark.parametrize("name", ["Q4_K_M", "Q8_0"])
def test_files_from_other_precisions(tmp_path: Path, name: str, dtype: str) -> None:
    ours, theirs = both(tmp_path, LLAMA, name, dtype)
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("name", ["Q4_K_M", "Q2_K", "IQ4_XS"])
def test_files_whose_rows_fit_no_large_block(tmp_path: Path, name: str) -> None:
    ours, theirs = both(tmp_path, TIED, name)
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("name", FLOATS)
def test_float_files_hold_the_same_tensors(tmp_path: Path, name: str) -> None:
    """Order and key positions are the converter's there, so only contents are compared."""
    ours, theirs = (read_gguf(path) for path in both(tmp_path, LLAMA, name))
    assert dict(ours.metadata) == dict(theirs.metadata)
    contents = []
    for file in (ours, theirs):
        raw = file.path.read_bytes()
        contents.append(
            {
                tensor.name: (tensor.type, tensor.shape, raw[tensor.offset :][: tensor.nbytes])
                for tensor in file.tensors
            }
        )
    assert contents[0] == contents[1]


@pytest.mark.parametrize("name", [name for name in PACKED if name not in PLAIN])
def test_what_llama_cpp_refuses_without_an_imatrix_is_never_planned(
    tmp_path: Path, name: str
) -> None:
    made = conversion(LLAMA, tmp_path / "weights.bin")
    write_weights(made)
    run_plan(make_plan(made, load_recipe("BF16")), tmp_path / "base.gguf")
    with pytest.raises(PlanError, match="needs an importance matrix"):
        make_plan(made, load_recipe(name))
    with pytest.raises(LlamaQuantizeError, match="imatrix"):
        quantize(tmp_path / "base.gguf", tmp_path / "theirs.gguf", FileType[name])
