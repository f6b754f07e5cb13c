"""A run writes exactly the plan, or nothing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.checkpoint.values import TensorInfo
from qwq_gguf.conversion.values import ComputedTensor, Conversion
from qwq_gguf.errors import OutputError, ShardError, TensorError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.quantization import (
    Imatrix,
    Overrides,
    Progress,
    load_recipe,
    make_plan,
    parse_tensor_type,
    run_plan,
)
from support.shapes import Shape, conversion, encode, write_weights

SMALL = Shape("llama", 256, 2, 4, 2, 512, 96)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def made(tmp_path: Path) -> Conversion:
    result = conversion(SMALL, tmp_path / "weights.bin")
    write_weights(result)
    return result


def info_of(made: Conversion, name: str) -> TensorInfo:
    (info,) = next(tensor.sources for tensor in made.tensors if tensor.name == name)
    assert isinstance(info, TensorInfo)
    return info


def poke(made: Conversion, name: str, index: int, value: float) -> None:
    """Overwrite one weight."""
    info = info_of(made, name)
    data = encode(np.array([value], dtype="<f4"), info.dtype)
    with info.shard.open("r+b") as file:
        file.seek(info.start + index * len(data))
        file.write(data)


def test_the_file_is_the_plan(tmp_path: Path, made: Conversion) -> None:
    plan = make_plan(made, load_recipe("Q4_K_M"))
    out = tmp_path / "out.gguf"
    summary = run_plan(plan, out)
    file = read_gguf(out)
    assert out.stat().st_size == plan.file_bytes == summary.file_bytes
    assert tuple(file.metadata.values()) == plan.metadata
    assert [(t.name, t.shape, t.type, t.offset) for t in file.tensors] == [
        (t.name, t.shape, t.type, plan.data_offset + t.offset) for t in plan.tensors
    ]
    assert summary.weights == plan.weights
    assert summary.bits_per_weight == plan.bits_per_weight


@pytest.mark.parametrize("threads, chunk", [(1, 1 << 20), (3, 1 << 20), (2, 1), (5, 300)])
def test_threads_and_chunks_do_not_change_a_byte(
    tmp_path: Path, made: Conversion, threads: int, chunk: int
) -> None:
    plan = make_plan(made, load_recipe("Q4_K_M"))
    run_plan(plan, tmp_path / "a.gguf")
    run_plan(plan, tmp_path / "b.gguf", threads=threads, chunk_weights=chunk)
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
def test_a_float_file_holds_the_weights_themselves(tmp_path: Path, dtype: str) -> None:
    """Rows of Q and K in llama's order, everything else as it was, rounded once."""
    made = conversion(SMALL, tmp_path / "weights.bin", dtype)
    write_weights(made)
    plan = make_plan(made, load_recipe("BF16"))
    run_plan(plan, tmp_path / "out.gguf")
    content = (tmp_path / "out.gguf").read_bytes()
    shard = (tmp_path / "weights.bin").read_bytes()
    for tensor in plan.tensors:
        start = plan.data_offset + tensor.offset
        found = content[start : start + tensor.nbytes]
        (source,) = tensor.source.sources
        if isinstance(source, ComputedTensor):
            assert found == source.data
            continue
        assert isinstance(source, TensorInfo)
        rows = stored(shard, source)
        if tensor.name.endswith(("attn_q.weight", "attn_k.weight")):
            rows = permuted(rows, heads=4 if "attn_q" in tensor.name else 2)
        expected = encode(rows.reshape(-1), "F32" if tensor.type is GgmlType.F32 else "BF16")
        assert found == expected, tensor.name


def stored(shard: bytes, info: TensorInfo) -> np.ndarray:
    raw = shard[info.start : info.start + info.nbytes]
    if info.dtype == "BF16":
        values = (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")
    else:
        values = np.frombuffer(raw, {"F16": "<f2", "F32": "<f4"}[info.dtype]).astype("<f4")
    return values.reshape(info.shape)


def permuted(rows: np.ndarray, heads: int) -> np.ndarray:
    """The two halves of each head interleaved, as llama.cpp's rope wants them."""
    half = len(rows) // heads // 2
    return rows.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(rows.shape)


def test_progress_counts_every_weight_once(tmp_path: Path, made: Conversion) -> None:
    seen: list[Progress] = []
    plan = make_plan(made, load_recipe("Q8_0"))
    run_plan(plan, tmp_path / "out.gguf", progress=seen.append, chunk_weights=1_000)
    done = [step.done_weights for step in seen]
    assert done == sorted(set(done))
    assert done[-1] == plan.weights == seen[0].total_weights
    assert {step.tensor for step in seen} == {tensor.name for tensor in plan.tensors}


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "name", ["blk.1.ffn_up.weight", "blk.1.attn_q.weight", "blk.0.attn_norm.weight"]
)
@pytest.mark.parametrize("recipe", ["Q4_K_M", "BF16"])
def test_a_weight_that_is_no_number_is_named(
    tmp_path: Path, dtype: str, value: float, name: str, recipe: str
) -> None:
    made = conversion(SMALL, tmp_path / "weights.bin", dtype)
    write_weights(made)
    row = 0 if "norm" in name else 37
    poke(made, name, row * 256 + 5, value)
    out = tmp_path / "out.gguf"
    out.write_bytes(b"old")
    with pytest.raises(TensorError) as caught:
        run_plan(make_plan(made, load_recipe(recipe)), out, force=True)
    assert f"source.{name}" in caught.value.message
    assert f"row {row}" in caught.value.message
    assert caught.value.found == f"{value} at column 5"
    assert names(tmp_path) == ["out.gguf", "weights.bin"]
    assert out.read_bytes() == b"old"


@pytest.mark.parametrize("value", [1e8, 1e30])
@pytest.mark.parametrize("recipe, kind", [("Q4_K_M", "Q4_K"), ("Q8_0", "Q8_0"), ("F16", "F16")])
def test_a_weight_too_large_for_its_blocks_is_named(
    tmp_path: Path, recipe: str, kind: str, value: float, capfd: pytest.CaptureFixture[str]
) -> None:
    made = conversion(SMALL, tmp_path / "weights.bin", "F32")
    write_weights(made)
    poke(made, "blk.0.ffn_up.weight", 300 * 256, value)
    asked = Overrides()
    if recipe == "F16":
        recipe, asked = "BF16", Overrides((parse_tensor_type("ffn_up=F16"),))
    with pytest.raises(TensorError) as caught:
        run_plan(make_plan(made, load_recipe(recipe), asked), tmp_path / "out.gguf")
    assert f"too large for {kind}" in caught.value.message
    assert "row 300 of blk.0.ffn_up.weight" in caught.value.message
    assert caught.value.found == f"up to {value:g}"
    assert names(tmp_path) == ["weights.bin"]
    capfd.readouterr()  # ggml describes the block on standard error


def test_a_shard_that_shrinks_is_noticed(tmp_path: Path, made: Conversion) -> None:
    plan = make_plan(made, load_recipe("Q8_0"))
    os.truncate(tmp_path / "weights.bin", 1000)
    with pytest.raises(ShardError):
        run_plan(plan, tmp_path / "out.gguf")
    assert names(tmp_path) == ["weights.bin"]


def test_an_existing_output_is_refused_before_any_work(tmp_path: Path, made: Conversion) -> None:
    (tmp_path / "out.gguf").write_bytes(b"old")
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(OutputError, match="exists"):
        run_plan(make_plan(made, load_recipe("Q8_0")), tmp_path / "out.gguf")


def test_importance_weights_reach_their_own_tensors_blocks(
    tmp_path: Path, made: Conversion
) -> None:
    given = Imatrix("x", {"blk.0.ffn_up.weight": np.linspace(0.01, 9, 256, dtype=np.float32)})
    parts: list[dict[str, bytes]] = []
    for imatrix in (None, given):
        plan = make_plan(made, load_recipe("Q4_K_M"), imatrix=imatrix)
        run_plan(plan, tmp_path / "out.gguf", force=True)
        raw = (tmp_path / "out.gguf").read_bytes()[plan.data_offset :]
        parts.append({each.name: raw[each.offset :][: each.nbytes] for each in plan.tensors})
    assert parts[0].keys() == parts[1].keys()
    assert {name for name in parts[0] if parts[0][name] != parts[1][name]} == {
        "blk.0.ffn_up.weight"
    }


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
@pytest.mark.parametrize("recipe", ["Q4_K_M", "Q2_K", "IQ4_XS"])
def test_all_kernels_make_the_same_file(tmp_path: Path, recipe: str, dtype: str) -> None:
    made = conversion(SMALL, tmp_path / "weights.bin", dtype)
    write_weights(made)
    plan = make_plan(made, load_recipe(recipe))
    ours = run_plan(plan, tmp_path / "ours.gguf", kernels="numba")
    theirs = run_plan(plan, tmp_path / "theirs.gguf", kernels="ggml")
    assert (tmp_path / "ours.gguf").read_bytes() == (tmp_path / "theirs.gguf").read_bytes()
    assert ours.kernels.startswith("numba ")
    assert theirs.kernels.startswith("libggml")


@pytest.mark.parametrize("kernels", ["numba", "ggml"])
def test_either_kernels_name_the_row_that_is_too_large(
    tmp_path: Path, made: Conversion, kernels: str
) -> None:
    poke(made, "blk.1.ffn_up.weight", 256 * 3 + 17, 5e8)
    plan = make_plan(made, load_recipe("Q4_K_M"))
    with pytest.raises(TensorError, match=r"row 3 of blk\.1\.ffn_up\.weight"):
        run_plan(plan, tmp_path / "out.gguf", kernels=kernels)
    assert names(tmp_path) == ["weights.bin"]
