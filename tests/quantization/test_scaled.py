"""Rows of scaled bytes through everything that makes a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from qwq_gguf.checkpoint import ShardReader, open_checkpoint
from qwq_gguf.cli.app import app
from qwq_gguf.conversion import SourceTensor, convert
from qwq_gguf.conversion.parts import Part, Scales, View
from qwq_gguf.errors import TensorError
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from qwq_gguf.quantization.kernels.scaled_bytes import numbers, scaled
from qwq_gguf.quantization.running.budget import need_of
from qwq_gguf.quantization.running.chunks import line_up
from qwq_gguf.quantization.running.parts import read_part
from qwq_gguf.quantization.running.weights import read_rows
from qwq_gguf.quantization.writing.fingerprint import fingerprint
from support.checkpoints import Shape, in_bytes, write_checkpoint
from support.hub import LoopbackHub
from support.hub_fixtures import hub, hub_session

__all__ = ["hub", "hub_session"]

UP = "model.layers.0.mlp.up_proj.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_checkpoint(
        tmp_path / "model",
        "qwen3",
        Shape(hidden=320, layers=1, heads=4, kv_heads=1, head_dim=64, feed_forward=576),
        encode=partial(in_bytes, ending=".weight_scale_inv", block=(128, 128)),
        quantization_config={"quant_method": "fp8", "weight_block_size": [128, 128]},
    )


def up(folder: Path) -> SourceTensor:
    made = convert(open_checkpoint(folder))
    return next(tensor for tensor in made.tensors if tensor.name == "blk.0.ffn_up.weight")


def test_e4m3_is_what_its_definition_says() -> None:
    """Sign, four bits that count from 7, three of fraction; subnormals; NaN twice."""
    table = numbers("F8_E4M3")
    for code in range(256):
        sign, exponent, fraction = -1 if code & 0x80 else 1, code >> 3 & 15, code & 7
        if exponent == 15 and fraction == 7:
            assert np.isnan(table[code])
            continue
        whole = (8 + fraction) * 2.0 ** (exponent - 10) if exponent else fraction * 2.0**-9
        assert table[code] == sign * whole
    assert table[0x7E] == 448
    assert numbers("F8_E5M2")[[0x3C, 0x7B, 0x01, 0xFC]].tolist() == [1, 57344, 2**-16, -np.inf]
    assert numbers("I8")[[0, 1, 127, 128, 255]].tolist() == [0, 1, 127, -128, -1]


def test_products_are_rounded_to_the_nearest_bf16_ties_to_even() -> None:
    codes = np.arange(256, dtype=np.uint8).reshape(1, 256)
    factors = np.array([[1.00390625, 3.1415927]], dtype=np.float32)  # one is a tie for 1.0
    bits = scaled(codes, "F8_E4M3", factors, 128).view("<u2")[0]
    exact = numbers("F8_E4M3").astype(np.float64) * np.repeat(factors.astype(np.float64), 128)
    found = (bits.astype(np.uint32) << 16).view(np.float32)
    good = ~np.isnan(exact)
    step = np.exp2(np.floor(np.log2(np.maximum(np.abs(exact[good]), 1e-30))) - 7)
    assert (np.abs(found[good] - exact[good]) <= step / 2 * 1.0001).all()
    assert bits[0x38] == 0x3F80  # 1.0 + half a step goes to the even neighbour
    assert np.isnan(found[~good]).all()


def test_rows_on_request_are_those_of_the_whole(folder: Path) -> None:
    tensor = up(folder)
    with ShardReader() as reader:
        whole = read_rows(reader, tensor, 0, 576)
        assert whole.shape == (576, 640)
        for first, count in [(0, 1), (127, 2), (128, 128), (100, 300), (575, 1)]:
            assert np.array_equal(read_rows(reader, tensor, first, count), whole[first:][:count])


def test_views_of_it_are_those_of_numpy(folder: Path) -> None:
    """Every third row; a submatrix turned; columns in another order."""
    part = up(folder).sources[0]
    assert isinstance(part, Part)
    with ShardReader() as reader:
        whole = read_part(reader, part, 0, 576).view("<u2")

        def read(first: int, count: int, *views: Part) -> np.ndarray:
            return np.concatenate(
                [read_part(reader, view, first, count).view("<u2") for view in views]
            )

        some = View((1,), (range(7, 560, 3), range(2, 5)))
        first, second = some.parts(part.info, part.scales)
        assert np.array_equal(read(0, first.rows, first), whole[7:560:3])
        assert np.array_equal(read(4, 90, first), whole[7:560:3][4:94])
        assert np.array_equal(read(0, 3, second), whole[2:5])
        (turned,) = View((1,), (range(100, 300),), turned=True).parts(part.info, part.scales)
        assert turned.rows == 320
        assert np.array_equal(read(0, 320, turned), whole[100:300].T)
        assert np.array_equal(read(17, 200, turned), whole[100:300].T[17:217])
        order = (5, 0, 319, 7)
        (picked,) = View((1,), (range(9, 99),), columns=order).parts(part.info, part.scales)
        assert np.array_equal(read(3, 50, picked), whole[9:99][3:53][:, order])


def test_no_number_is_named_by_its_row(folder: Path, tmp_path: Path) -> None:
    info = open_checkpoint(folder).tensors[UP]
    with info.shard.open("r+b") as file:
        file.seek(info.start + 320 * 200 + 5)
        file.write(b"\xff")
    plan = make_plan(convert(open_checkpoint(folder)), load_recipe("Q8_0"))
    with pytest.raises(TensorError, match=rf"{UP} holds .* in row 200") as caught:
        run_plan(plan, tmp_path / "a.gguf", kernels="ggml")
    assert caught.value.found == "nan at column 5"


def test_what_needs_two_shards_is_made_when_the_second_comes(folder: Path) -> None:
    """First of all there, so that the shard before it can go."""
    opened = open_checkpoint(folder)
    name = UP + "_scale_inv"
    other = replace(opened.tensors[name], shard=folder / "of-scales.safetensors")
    made = convert(replace(opened, tensors={**opened.tensors, name: other}))
    plan = make_plan(made, load_recipe("Q8_0"))
    chunks = list(line_up([plan], 1 << 16, by_shard=True).chunks)
    both = [chunk.shards for chunk in chunks if len(chunk.shards) > 1]
    assert set(both) == {(folder / "model.safetensors", folder / "of-scales.safetensors")}
    assert chunks[-1].shards == both[-1]
    assert all(chunk.shards == (folder / "model.safetensors",) for chunk in chunks[: -len(both)])


def in_order(
    tensors: Mapping[str, tuple[str, Any]], order: Callable[[str], Any]
) -> dict[str, tuple[str, Any]]:
    made = in_bytes(tensors, ending=".weight_scale_inv", block=(128, 128))
    return {name: made[name] for name in sorted(made, key=order)}


ORDERS: dict[str, tuple[Callable[[str], Any], int]] = {
    "next to each other": (str, 2),
    "scales last": (lambda name: (name.endswith("scale_inv"), name), 3),
}


@pytest.mark.parametrize("where", ORDERS)
def test_scales_in_another_shard_are_streamed(
    where: str, tmp_path: Path, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same file, with no more of the checkpoint on the disk than is said."""
    order, most = ORDERS[where]
    model = write_checkpoint(
        tmp_path / "Tiny",
        "qwen3",
        Shape(hidden=256, layers=2, heads=4, kv_heads=2, feed_forward=512),
        shards=4,
        encode=partial(in_order, order=order),
        quantization_config={"quant_method": "fp8", "weight_block_size": [128, 128]},
    )
    hub.add_folder("org/Tiny", model)
    monkeypatch.chdir(tmp_path)
    there: list[list[int]] = []
    read = ShardReader.read

    def watching(self: ShardReader, *given: Any) -> bytes:
        sizes = []
        for path in tmp_path.glob(".s.gguf.shards/*.safetensors"):
            with suppress(FileNotFoundError):  # another thread has just done with it
                sizes.append(path.stat().st_size)
        there.append(sizes)
        return read(self, *given)

    monkeypatch.setattr(ShardReader, "read", watching)
    flags = ["-r", "Q8_0", "--no-modelfile", "--kernels", "ggml"]
    runner = CliRunner()
    streamed = runner.invoke(app, ["quantize", "org/Tiny", "s.gguf", "--stream", *flags])
    assert streamed.exit_code == 0, streamed.output
    assert max(map(len, there)) == most
    here = runner.invoke(app, ["quantize", str(model), "h.gguf", "--name", "Tiny", *flags])
    assert here.exit_code == 0, here.output
    ours, theirs = read_gguf(tmp_path / "s.gguf"), read_gguf(tmp_path / "h.gguf")
    data = [(tmp_path / f"{n}.gguf").read_bytes() for n in "sh"]
    assert data[0][ours.data_offset :] == data[1][theirs.data_offset :]
    told = runner.invoke(app, ["quantize", "org/Tiny", "--stream", "--dry-run", "--json", *flags])
    stream = json.loads(told.stdout)["stream"]
    assert max(map(sum, there)) <= stream["peak_bytes"] < stream["bytes"]


def test_an_unfinished_file_knows_its_scales(folder: Path) -> None:
    """Other scales, or rows taken otherwise, would be another model."""
    made = convert(open_checkpoint(folder))
    tensor = up(folder)
    (part,) = tensor.sources
    assert isinstance(part, Part)
    assert isinstance(part.scales, Scales)

    def digest(changed: Part) -> str:
        tensors = tuple(
            replace(each, sources=(changed,)) if each.name == tensor.name else each
            for each in made.tensors
        )
        plan = make_plan(replace(made, tensors=tensors), load_recipe("Q8_0"))
        found: str = fingerprint(plan, identity=str, versions={}, about={})["tensors"]["all"]
        return found

    others = [
        replace(part, scales=replace(part.scales, columns=64)),
        replace(part, columns=(*range(1, 320), 0)),
        replace(part, taken=range(576, 0, -1)),
    ]
    assert len({digest(each) for each in (part, *others)}) == 4


def test_what_is_turned_is_in_memory_whole(folder: Path) -> None:
    tensor = up(folder)
    (part,) = tensor.sources
    assert isinstance(part, Part)
    view = View((320, 576), (range(576),), turned=True)
    turned = replace(tensor, shape=(576, 320), sources=view.parts(part.info, part.scales))
    assert turned.least_weights == 320 * 576
    assert tensor.least_weights == 320
    made = convert(open_checkpoint(folder))
    plan = make_plan(replace(made, tensors=(turned,)), load_recipe("Q8_0"))
    assert need_of([plan], lambda stored, kind: False).least_weights == 320 * 576
