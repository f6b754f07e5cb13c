"""Whole files equal, byte for byte, what llama.cpp's two steps make.

`scripts/soak recipes` does this for the slowest codebook formats too, whose tables take
ggml most of a minute to build.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.conversion import convert
from qwq_gguf.errors import PlanError
from qwq_gguf.ggml_types import FileType
from qwq_gguf.gguf_file import GgufFile, read_gguf
from qwq_gguf.quantization import load_recipe, make_plan, recipe_names
from support.checkpoints import Shape as CheckpointShape
from support.checkpoints import qwen2_tokenizer, write_checkpoint
from support.llama_quantize import LlamaQuantizeError, quantize
from support.oracle import Model, as_model, make_model
from support.shapes import LITTLE_LLAMA, LITTLE_QWEN, RAGGED_TIED

FLOATS = ("F32", "F16", "BF16")
SLOW = ("IQ3_M", "IQ3_XS", "IQ3_XXS", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ1_M", "IQ1_S")
PACKED = [name for name in recipe_names() if name not in FLOATS]
PLAIN = [name for name in PACKED if not load_recipe(name).needs_imatrix]
NEEDY = [name for name in PACKED if name not in PLAIN]


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return make_model(LITTLE_QWEN, tmp_path_factory.mktemp("qwen"))


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return make_model(LITTLE_LLAMA, tmp_path_factory.mktemp("llama"))


@pytest.mark.parametrize("name", [name for name in PLAIN if name not in SLOW])
def test_files_without_an_imatrix(qwen: Model, tmp_path: Path, name: str) -> None:
    ours, theirs = qwen.both(name, tmp_path)
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("name", [name for name in PACKED if name not in SLOW])
def test_files_with_an_imatrix(llama: Model, tmp_path: Path, name: str) -> None:
    ours, theirs = llama.both(name, tmp_path, imatrix=True)
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("dtype", ["F16", "F32"])
@pytest.mark.parametrize("name", ["Q4_K_M", "Q8_0"])
def test_files_from_other_precisions(tmp_path: Path, name: str, dtype: str) -> None:
    ours, theirs = make_model(LITTLE_LLAMA, tmp_path, dtype).both(name, tmp_path)
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("name", ["Q4_K_M", "Q2_K", "IQ4_XS", "TQ2_0"])
def test_files_whose_rows_fit_no_large_block(tmp_path: Path, name: str) -> None:
    ours, theirs = make_model(RAGGED_TIED, tmp_path).both(name, tmp_path)
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("name", FLOATS)
def test_float_files_hold_the_same_tensors(llama: Model, tmp_path: Path, name: str) -> None:
    """Order and key positions are the converter's there, so only contents are compared."""
    ours, theirs = (read_gguf(path) for path in llama.both(name, tmp_path))
    assert dict(ours.metadata) == dict(theirs.metadata)
    assert contents(ours) == contents(theirs)


def contents(file: GgufFile) -> Mapping[str, object]:
    raw = file.path.read_bytes()
    return {
        tensor.name: (tensor.type, tensor.shape, raw[tensor.offset :][: tensor.nbytes])
        for tensor in file.tensors
    }


@pytest.mark.parametrize("name", NEEDY)
def test_what_llama_cpp_refuses_without_an_imatrix_is_never_planned(
    llama: Model, tmp_path: Path, name: str
) -> None:
    with pytest.raises(PlanError, match="needs an importance matrix"):
        make_plan(llama.conversion, load_recipe(name))
    with pytest.raises(LlamaQuantizeError, match="imatrix"):
        quantize(llama.base, tmp_path / "theirs.gguf", FileType[name])


def test_a_checkpoint_with_the_real_vocabulary(tmp_path: Path) -> None:
    """From safetensors in several shards to the finished file."""
    shape = CheckpointShape(hidden=64, layers=2, feed_forward=512, vocab=151_936)
    folder = write_checkpoint(
        tmp_path / "Some-Model", shape=shape, shards=3, tokenizer=qwen2_tokenizer()
    )
    model = as_model(convert(open_checkpoint(folder)), tmp_path)
    ours, theirs = model.both("Q4_K_M", tmp_path)
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("name", ["Q4_K_M", "Q8_0"])
def test_the_demo_checkpoint(tmp_path: Path, name: str) -> None:
    model = as_model(convert(open_checkpoint("demo")), tmp_path)
    ours, theirs = model.both(name, tmp_path)
    assert ours.read_bytes() == theirs.read_bytes()
