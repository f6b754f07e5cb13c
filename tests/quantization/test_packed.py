"""Packed numbers, as those who made the forms unpack them; see tests/golden/make_packed.py."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwq_gguf.checkpoint import Checkpoint, ShardReader, TensorInfo, open_checkpoint
from qwq_gguf.checkpoint.safetensors import read_header
from qwq_gguf.conversion import Conversion, convert
from qwq_gguf.conversion.packed import packed_encoding, separate_packed
from qwq_gguf.conversion.parts import Packed, Part, View
from qwq_gguf.errors import ConfigError, QwqGgufError, TensorError, UnsupportedError
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from qwq_gguf.quantization.kernels.packed_numbers import in_words
from qwq_gguf.quantization.running.parts import read_part
from support.checkpoints import Shape, safetensors_bytes, write_checkpoint
from support.packed import CASES, as_awq, as_compressed, as_gptq, packed, some_matrices

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "golden/packed.json").read_text(encoding="utf-8")
)
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 64}
SHAPE = Shape(hidden=128, layers=1, heads=4, kv_heads=2, feed_forward=192)
Q = "model.layers.0.self_attn.q_proj"


def parts(tensors: Mapping[str, Any], told: Mapping[str, Any], folder: Path) -> dict[str, Part]:
    path = folder / "model.safetensors"
    path.write_bytes(safetensors_bytes(tensors))
    encoding = packed_encoding(told, path)
    assert encoding is not None
    kept, codes = separate_packed(read_header(path), encoding)
    assert kept.keys() == codes.keys()
    return {name: Part.whole(info, codes[name]) for name, info in kept.items()}


def values(part: Part, first: int = 0, count: int | None = None) -> Any:
    with ShardReader() as reader:
        return read_part(reader, part, first, part.rows if count is None else count).view("<f4")


@pytest.mark.parametrize("name", CASES)
def test_they_are_what_their_makers_unpack(name: str, tmp_path: Path) -> None:
    encode, told = CASES[name]
    for weight, part in parts(encode(some_matrices()), told, tmp_path).items():
        digest = hashlib.sha256(values(part).tobytes()).hexdigest()
        assert digest == GOLDEN[name][weight.removesuffix(".weight")]


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_numbers_come_out_of_words_as_they_went_in(bits: int) -> None:
    numbers = np.random.default_rng(bits).integers(0, 1 << bits, (5, 64))
    words = packed(numbers, bits, 1).view(np.uint32)
    assert (in_words(words, bits) == numbers).all()


FORMS: dict[str, tuple[Callable[..., Any], Mapping[str, Any]]] = {
    "gptq": (partial(as_gptq, ordered=True), GPTQ),
    "gptq-2": (partial(as_gptq, bits=2), {**GPTQ, "bits": 2}),
    "awq": CASES["awq"],
    "rows": CASES["int4-groups"],
}


@pytest.mark.parametrize("name", FORMS)
def test_rows_on_request_are_those_of_the_whole(name: str, tmp_path: Path) -> None:
    """Also from the midst of a word, every third row, and turned."""
    encode, told = FORMS[name]
    part = parts(encode(some_matrices()), told, tmp_path)[f"{Q}.weight"]
    whole = values(part)
    assert whole.shape == (96, 128)
    assert len(np.unique(whole)) > 100
    for first, count in ((0, 1), (5, 1), (9, 14), (90, 6)):
        assert (values(part, first, count) == whole[first : first + count]).all()
    (thinned,) = View((1,), (range(7, 90, 3),)).parts(part.info, part.scales)
    assert (values(thinned, 2, 11) == whole[7:90:3][2:13]).all()
    (turned,) = View((1,), (range(16, 48),), turned=True).parts(part.info, part.scales)
    assert (values(turned, 3, 20) == whole[16:48].T[3:23]).all()


def test_only_what_is_asked_for_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a turned matrix some words of each line, not all of it."""
    part = parts(as_gptq(some_matrices()), GPTQ, tmp_path)[f"{Q}.weight"]
    taken: list[int] = []
    read = ShardReader.read

    def counting(self: ShardReader, info: TensorInfo, first: int = 0, nbytes: Any = None) -> bytes:
        found = read(self, info, first, nbytes)
        taken.append(len(found))
        return found

    monkeypatch.setattr(ShardReader, "read", counting)
    values(part, 40, 4)
    of_words = 4 * 4 * 128 // 8
    assert sum(taken) <= of_words + 2 * (4 + 4 + 2) * 4 + 4 * 128


def test_order_of_compressed_tensors(tmp_path: Path) -> None:
    """Older ones say of each column which group it is of; -1 where they never did."""
    told = CASES["int4-groups"][1]
    made = as_compressed(some_matrices(), group=32, zeros=True, ordered=True)
    path = tmp_path / "model.safetensors"
    part = parts(made, told, tmp_path)[f"{Q}.weight"]
    assert isinstance(part.scales, Packed)
    assert part.scales.groups is not None
    ordered = values(part)
    plain = values(replace(part, scales=replace(part.scales, groups=None)))
    groups = made[f"{Q}.weight_g_idx"][1]
    fixed = np.flatnonzero(groups == np.arange(128) // 32)
    assert 0 < len(fixed) < 128
    assert (ordered[:, fixed] == plain[:, fixed]).all()
    assert (ordered != plain).any()
    made[f"{Q}.weight_g_idx"][1][...] = -1
    path.write_bytes(safetensors_bytes(made))
    assert (values(part) == plain).all()
    made[f"{Q}.weight_g_idx"][1][7] = 4
    path.write_bytes(safetensors_bytes(made))
    with pytest.raises(TensorError, match="names a group that has no scale"):
        values(part)


def gptq(folder: Path, **changes: Any) -> Checkpoint:
    return open_checkpoint(
        write_checkpoint(
            folder / "model",
            "qwen3",
            SHAPE,
            encode=partial(as_gptq, biases=True),
            quantization_config={**GPTQ, **changes},
        )
    )


def stored(made: Conversion) -> set[str]:
    return {tensor.stored.name for tensor in made.tensors if "ffn_up" in tensor.name}


def test_it_is_said_and_biases_of_nothing_are_left_out(tmp_path: Path) -> None:
    made = convert(gptq(tmp_path))
    assert made.notes[0] == (
        "7 tensors are GPTQ, 4 bits: read as F32, each number less its zero times its scale"
    )
    assert "take the original weights" in made.notes[1]
    assert stored(made) == {"F32"}
    biases = {tensor.name for tensor in made.tensors if "bias" in tensor.name}
    assert biases == {f"blk.0.attn_{x}.bias" for x in "qkv"}  # which a Qwen3 may have


def test_a_file_of_them_is_the_same_in_any_pieces(tmp_path: Path) -> None:
    plan = make_plan(convert(gptq(tmp_path)), load_recipe("Q8_0"))
    run_plan(plan, tmp_path / "a.gguf", kernels="ggml", chunk_weights=1000)
    run_plan(plan, tmp_path / "b.gguf", kernels="ggml")
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"checkpoint_format": "marlin"}, "gptq, packed for Marlin, 4 bits"),
        ({"pack_dtype": "int8"}, "gptq, 4 bits"),
        ({"quant_method": "awq", "version": "gemv"}, "awq, 4 bits"),
        ({"quant_method": "awq", "bits": 3}, "awq, 3 bits"),
        ({"quant_method": "auto-round"}, "auto-round, 4 bits"),
        (
            {"quant_method": "compressed-tensors", "format": "pack-quantized", "bits": None},
            "compressed-tensors, pack-quantized",
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "format": "pack-quantized",
                "bits": None,
                "config_groups": {"a": {"weights": {"num_bits": 3, "strategy": "group"}}},
            },
            "compressed-tensors, pack-quantized",
        ),
    ],
    ids=str,
)
def test_forms_that_are_refused_by_name(tmp_path: Path, told: dict[str, Any], found: str) -> None:
    with pytest.raises(UnsupportedError, match="quantized already") as raised:
        convert(gptq(tmp_path, **told))
    assert raised.value.found == found


def info(name: str, dtype: str, *shape: int) -> TensorInfo:
    return TensorInfo(name, dtype, shape, Path("a"), 0, 0)


@pytest.mark.parametrize(
    "changed",
    [
        {"scales": None},
        {"qzeros": None},
        {"qweight": ("F32", 16, 96)},
        {"qweight": ("I32", 16, 96, 1)},
        {"qweight": ("I32", 0, 96)},
        {"qweight": ("I32", 12, 96)},
        {"scales": ("F16", 2, 95)},
        {"scales": ("I8", 2, 96)},
        {"scales": ("F16", 2)},
        {"qzeros": ("I32", 2, 13)},
        {"qzeros": ("I64", 2, 12)},
        {"g_idx": ("I32", 127)},
        {"g_idx": ("I32", 0)},
        {"g_idx": ("I32", 1, 128)},
        {"g_idx": ("F32", 128)},
        {"weight": ("F16", 96, 128)},
    ],
    ids=str,
)
def test_shapes_that_do_not_fit(changed: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "qweight": ("I32", 16, 96),
        "qzeros": ("I32", 2, 12),
        "scales": ("F16", 2, 96),
        "g_idx": ("I32", 128),
    }
    encoding = packed_encoding(GPTQ, Path("config.json"))
    assert encoding is not None

    def separate(shapes: Mapping[str, Any]) -> None:
        names = {f"a.{key}": value for key, value in shapes.items() if value is not None}
        separate_packed({name: info(name, *value) for name, value in names.items()}, encoding)

    separate(good)
    with pytest.raises(QwqGgufError) as raised:
        separate({**good, **changed})
    assert isinstance(raised.value, TensorError | UnsupportedError)


@pytest.mark.parametrize("size", [0, "64", 1.5, True, -2, 1 << 40])
def test_absurd_groups(size: object) -> None:
    with pytest.raises(ConfigError, match="no number of weights"):
        packed_encoding({**GPTQ, "group_size": size}, Path("config.json"))


def test_awq_of_a_checkpoint_and_an_adapter_on_it(tmp_path: Path) -> None:
    from qwq_gguf.checkpoint import open_adapter
    from support.adapters import Lora, modules, write_adapter

    folder = write_checkpoint(
        tmp_path / "model",
        "qwen3",
        SHAPE,
        encode=as_awq,
        quantization_config=CASES["awq"][1] | {"group_size": 64},
    )
    plain = convert(open_checkpoint(folder))
    adapter = open_adapter(write_adapter(tmp_path / "tuned", Lora(modules(SHAPE, ("o_proj",)))))
    merged = convert(open_checkpoint(folder), adapters=[adapter])

    def output(made: Conversion) -> Any:
        (part,) = next(t for t in made.tensors if "attn_output" in t.name).sources
        assert isinstance(part, Part)
        return values(part)

    added = output(merged) - output(plain)
    assert 0 < np.abs(added).max() < 1
    assert stored(plain) == {"F32"}
