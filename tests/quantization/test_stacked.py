"""A tensor stacked from eight that lie in three shards, through everything that makes a file."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.checkpoint.reader import ShardReader
from qwq_gguf.cli.app import app
from qwq_gguf.conversion import SourceTensor, architectures, convert
from qwq_gguf.conversion.architectures.base import Architecture, TensorRule
from qwq_gguf.conversion.architectures.qwen2 import QWEN2
from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.errors import TensorError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from qwq_gguf.quantization.kernels.ggml import load_ggml
from qwq_gguf.quantization.running.chunks import line_up
from qwq_gguf.quantization.running.decoding import decode
from qwq_gguf.quantization.running.weights import read_rows
from support.checkpoints import Shape, random_tensors, write_checkpoint
from support.hub import LoopbackHub
from support.hub_fixtures import hub, hub_session

__all__ = ["hub", "hub_session"]

REPO = "Qwen/Stacked-1B"
SHAPE = Shape(layers=2, feed_forward=256)
EXPERTS = 8
NAME = "blk.1.ffn_up_exps.weight"


def block(config: ModelConfig, layer: int) -> tuple[TensorRule, ...]:
    stacked = TensorRule(
        "mlp.experts.{}.up_proj.weight",
        "ffn_up_exps.weight",
        ("feed_forward", "embedding"),
        stacked=EXPERTS,
    )
    return (*QWEN2.block(config, layer), stacked)


TOY: Architecture = replace(QWEN2, model_class="StackedForCausalLM", block=block)


@pytest.fixture(autouse=True)
def toy_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architectures, "ARCHITECTURES", (*architectures.ARCHITECTURES, TOY))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight experts a layer; those of one tensor lie in all three shards."""
    shapes = {
        f"model.layers.{layer}.mlp.experts.{number}.up_proj.weight": (256, 256)
        for number in range(EXPERTS)
        for layer in range(SHAPE.layers)
    }
    experts = random_tensors(shapes, "BF16", seed=7)
    # Dealt out by turns, as no real checkpoint is: none may take their order for granted.
    made = write_checkpoint(
        tmp_path / "models" / "Stacked-1B",
        shape=SHAPE,
        shards=3,
        extra_tensors={name: ("BF16", values) for name, values in experts.items()},
        architectures=["StackedForCausalLM"],
    )
    spread(made)
    return made


def spread(folder: Path) -> None:
    """Write the shards anew, tensor after tensor into the next one."""
    from support.checkpoints import safetensors_bytes, write_json

    opened = open_checkpoint(folder)
    files: list[dict[str, tuple[str, object]]] = [{}, {}, {}]
    where = {}
    with ShardReader() as reader:
        for number, (name, info) in enumerate(sorted(opened.tensors.items())):
            values = np.frombuffer(reader.read(info), dtype="<u2").reshape(info.shape)
            files[number % 3][name] = (info.dtype, values)
            where[name] = f"model-0000{number % 3 + 1}-of-00003.safetensors"
    for number, tensors in enumerate(files):
        path = folder / f"model-0000{number + 1}-of-00003.safetensors"
        path.write_bytes(safetensors_bytes(tensors))  # type: ignore[arg-type]
    write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": where})


def stacked(folder: Path) -> SourceTensor:
    return next(t for t in convert(open_checkpoint(folder)).tensors if t.name == NAME)


def expected(folder: Path, kind: GgmlType) -> bytes:
    """ggml's own blocks of numpy's own stack."""
    opened = open_checkpoint(folder)
    names = [f"model.layers.1.mlp.experts.{number}.up_proj.weight" for number in range(EXPERTS)]
    with ShardReader() as reader:
        rows = [
            np.frombuffer(reader.read(opened.tensors[name]), dtype=np.uint8).reshape(256, -1)
            for name in names
        ]
    if kind is GgmlType.BF16:
        return b"".join(each.tobytes() for each in rows)
    ggml = load_ggml()
    ggml.prepare(kind)
    return ggml.quantize_rows(kind, decode(np.concatenate(rows), GgmlType.BF16), None).tobytes()


def found(path: Path) -> tuple[GgmlType, bytes]:
    file = read_gguf(path)
    tensor = next(tensor for tensor in file.tensors if tensor.name == NAME)
    return tensor.type, path.read_bytes()[tensor.offset :][: tensor.nbytes]


def test_it_is_one_tensor_in_three_shards(folder: Path) -> None:
    tensor = stacked(folder)
    assert tensor.shape == (256, 256, EXPERTS)
    assert len(tensor.sources) == EXPERTS
    assert len(tensor.shards) == 3


def test_rows_come_out_of_the_right_expert(folder: Path) -> None:
    tensor = stacked(folder)
    with ShardReader() as reader:
        whole = read_rows(reader, tensor, 0, tensor.rows)
        for first, count in [(0, 1), (255, 2), (200, 400), (2047, 1)]:
            part = read_rows(reader, tensor, first, count)
            assert np.array_equal(part, whole[first : first + count])
    assert len({row.tobytes() for row in whole}) == len(whole)


@pytest.mark.parametrize("recipe", ["Q4_K_M", "Q8_0", "BF16"])
def test_the_blocks_are_those_of_the_stack(folder: Path, tmp_path: Path, recipe: str) -> None:
    run_plan(make_plan(convert(open_checkpoint(folder)), load_recipe(recipe)), tmp_path / "a.gguf")
    kind, blocks = found(tmp_path / "a.gguf")
    assert blocks == expected(folder, kind)
    assert len(blocks) == kind.row_bytes(256) * 256 * EXPERTS


def test_each_shard_is_read_in_one_stretch_when_they_pass_by(folder: Path) -> None:
    plan = make_plan(convert(open_checkpoint(folder)), load_recipe("Q4_K_M"))
    chunks = line_up([plan], 1 << 14, by_shard=True).chunks
    shards = [shard for chunk in chunks for shard in chunk.shards]
    changes = sum(a != b for a, b in pairwise(shards))
    assert changes == len(set(shards)) - 1 == 2


def test_a_stream_and_a_folder_give_the_same_file(
    folder: Path, tmp_path: Path, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add_folder(REPO, folder)
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    flags = ["--no-modelfile", "--kernels", "ggml"]
    streamed = runner.invoke(app, ["quantize", REPO, "s.gguf", "--stream", *flags])
    assert streamed.exit_code == 0, streamed.output
    here = runner.invoke(app, ["quantize", str(folder), "h.gguf", *flags])
    assert here.exit_code == 0, here.output
    assert found(tmp_path / "s.gguf") == found(tmp_path / "h.gguf")
    kind, blocks = found(tmp_path / "s.gguf")
    assert blocks == expected(folder, kind)

    checked = runner.invoke(app, ["verify", "h.gguf", "--source", str(folder), "--all"])
    assert checked.exit_code == 0, checked.output
    damage(folder)
    checked = runner.invoke(app, ["verify", "h.gguf", "--source", str(folder), "--all"])
    assert checked.exit_code == 1
    assert NAME in checked.output


def damage(folder: Path) -> None:
    """Another number in the last row of the sixth expert."""
    info = open_checkpoint(folder).tensors["model.layers.1.mlp.experts.5.up_proj.weight"]
    with info.shard.open("r+b") as file:
        file.seek(info.start + info.nbytes - 2)
        file.write(b"\x00\x40")


def test_a_run_that_was_ended_goes_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(convert(open_checkpoint(folder)), load_recipe("Q4_K_M"))
    run_plan(plan, tmp_path / "whole.gguf", kernels="ggml")
    for chunks in (3, 40, 90):
        path = tmp_path / f"{chunks}.gguf"
        left = [chunks]

        def stop(*_: object, left: list[int] = left) -> None:
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_plan(plan, path, kernels="ggml", chunk_weights=1 << 14, progress=stop)
        assert not path.exists()
        summary = run_plan(plan, path, kernels="ggml", chunk_weights=1 << 14)
        assert path.read_bytes() == (tmp_path / "whole.gguf").read_bytes()
        assert summary.read_weights <= summary.weights


def test_experts_of_two_kinds_are_refused(folder: Path) -> None:
    opened = open_checkpoint(folder)
    name = "model.layers.1.mlp.experts.5.up_proj.weight"
    other = replace(opened.tensors[name], dtype="F16")
    with pytest.raises(TensorError, match=r"experts.5.*cannot be stacked"):
        convert(replace(opened, tensors={**opened.tensors, name: other}))


def test_a_bad_weight_is_named_by_its_expert(folder: Path, tmp_path: Path) -> None:
    name = "model.layers.1.mlp.experts.5.up_proj.weight"
    info = open_checkpoint(folder).tensors[name]
    with info.shard.open("r+b") as file:
        file.seek(info.start + 2 * 256 * 3)
        file.write(b"\xc0\x7f")
    plan = make_plan(convert(open_checkpoint(folder)), load_recipe("Q4_K_M"))
    with pytest.raises(TensorError, match=rf"{name} holds .* in row 3") as caught:
        run_plan(plan, tmp_path / "a.gguf")
    assert caught.value.path == str(info.shard)
