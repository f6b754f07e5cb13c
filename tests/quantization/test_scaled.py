"""Rows of scaled bytes through everything that makes a file."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.checkpoint import ShardReader, open_checkpoint
from qwq_gguf.conversion import SourceTensor, convert
from qwq_gguf.conversion.parts import Part, Scales, View
from qwq_gguf.errors import TensorError, UnsupportedError
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from qwq_gguf.quantization.kernels.scaled_bytes import numbers, scaled
from qwq_gguf.quantization.running.budget import need_of
from qwq_gguf.quantization.running.chunks import line_up
from qwq_gguf.quantization.running.parts import read_part
from qwq_gguf.quantization.running.weights import read_rows
from qwq_gguf.quantization.writing.ingredients import made_of
from support.checkpoints import Shape, in_bytes, write_checkpoint

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


def test_a_stream_needs_a_weight_and_its_scales_in_one_shard(folder: Path) -> None:
    opened = open_checkpoint(folder)
    name = UP + "_scale_inv"
    other = replace(opened.tensors[name], shard=folder / "another.safetensors")
    made = convert(replace(opened, tensors={**opened.tensors, name: other}))
    plan = make_plan(made, load_recipe("Q8_0"))
    assert {path.name for path in plan.tensors[3].source.shards} <= {
        "another.safetensors",
        "model.safetensors",
    }
    line_up([plan], 1 << 16)
    with pytest.raises(UnsupportedError, match=r"up_proj.*scales are in two shards") as caught:
        line_up([plan], 1 << 16, by_shard=True)
    assert caught.value.hint == "leave out --stream"


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
        found: str = made_of(plan, identity=str, versions={}, about={})["tensors"]["all"]
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
