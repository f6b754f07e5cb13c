"""A GGUF quantized again is, byte for byte, the file that llama_model_quantize makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.conversion.from_gguf import from_gguf
from qwq_gguf.ggml_types import FileType, GgmlType
from qwq_gguf.gguf_file import read_gguf, read_splits
from qwq_gguf.metadata import KeyValue, array, text, u32
from qwq_gguf.metadata import ValueType as Kind
from qwq_gguf.quantization import Imatrix, Overrides, load_recipe, make_plan, run_plan
from qwq_gguf.quantization.kernels.ggml import load_ggml
from support.imatrix import importance
from support.llama_quantize import LlamaQuantizeError, quantize
from support.one_layer import write_one_layer
from support.oracle import Model, make_model
from support.shapes import LITTLE_LLAMA, RAGGED_TIED
from support.split_files import cut

# Q8_1 and Q8_K are for products of matrices, not for files.
PACKED = [kind for kind in GgmlType if kind.quantized and kind.name not in ("Q8_1", "Q8_K")]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return make_model(LITTLE_LLAMA, tmp_path_factory.mktemp("llama"))


def ours(
    source: Path,
    out: Path,
    name: str,
    *,
    imatrix: Imatrix | None = None,
    asked: Overrides | None = None,
) -> bytes:
    plan = make_plan(from_gguf(read_splits(source)), load_recipe(name), asked, imatrix=imatrix)
    run_plan(plan, out, force=True)
    return out.read_bytes()


def theirs(
    source: Path,
    out: Path,
    name: str,
    *,
    imatrix: Imatrix | None = None,
    requantize: bool = False,
) -> bytes:
    quantize(
        source,
        out,
        FileType[name],
        imatrix=None if imatrix is None else imatrix.entries,
        keys=() if imatrix is None else imatrix.metadata(),
        requantize=requantize,
    )
    return out.read_bytes()


def same(source: Path, folder: Path, name: str, **how: object) -> bool:
    requantize = how.pop("requantize", False)
    a = ours(source, folder / "ours.gguf", name, **how)  # type: ignore[arg-type]
    b = theirs(source, folder / "theirs.gguf", name, requantize=requantize, **how)  # type: ignore[arg-type]
    return a == b


@pytest.mark.parametrize("name", ["Q4_K_M", "Q2_K", "IQ4_XS", "Q8_0", "F16", "BF16", "F32"])
def test_recipes_of_a_bf16_file(llama: Model, tmp_path: Path, name: str) -> None:
    assert same(llama.base, tmp_path, name)


@pytest.mark.parametrize("dtype", ["F16", "F32"])
@pytest.mark.parametrize("name", ["Q4_K_M", "F16", "BF16"])
def test_other_precisions(tmp_path: Path, dtype: str, name: str) -> None:
    assert same(make_model(LITTLE_LLAMA, tmp_path, dtype).base, tmp_path, name)


@pytest.mark.parametrize("name", ["Q4_K_M", "Q2_K", "F16"])
def test_tied_embeddings_and_odd_rows(tmp_path: Path, name: str) -> None:
    assert same(make_model(RAGGED_TIED, tmp_path).base, tmp_path, name)


@pytest.mark.parametrize("name", ["Q2_K_S", "Q4_0"])
def test_with_an_importance_matrix(llama: Model, tmp_path: Path, name: str) -> None:
    assert same(llama.base, tmp_path, name, imatrix=importance(llama.conversion))


def test_a_model_in_several_files(llama: Model, tmp_path: Path) -> None:
    whole = tmp_path / "model.gguf"
    whole.write_bytes(llama.base.read_bytes())
    first, *_ = cut(whole, 4)
    made = ours(first, tmp_path / "ours.gguf", "Q4_K_M")
    assert made == theirs(first, tmp_path / "theirs.gguf", "Q4_K_M")
    assert made == ours(whole, tmp_path / "whole.gguf", "Q4_K_M")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Q8_0", "Q4_K_M"),
        ("Q8_0", "IQ4_XS"),
        ("Q8_0", "F16"),
        ("Q4_K_M", "Q4_K_M"),
        ("Q4_K_M", "Q5_K_S"),
        ("Q4_K_M", "Q8_0"),
        ("IQ4_XS", "Q2_K"),
    ],
)
def test_a_second_time(llama: Model, tmp_path: Path, first: str, second: str) -> None:
    """Tensors that keep their type are copied, all others decoded and made anew."""
    base = tmp_path / "base.gguf"
    theirs(llama.base, base, first)
    assert same(base, tmp_path, second, requantize=True)


def test_a_second_time_with_an_importance_matrix(llama: Model, tmp_path: Path) -> None:
    """Which then names the new matrix, behind the keys that stay."""
    matrix = importance(llama.conversion)
    base = tmp_path / "base.gguf"
    theirs(llama.base, base, "IQ4_NL", imatrix=matrix)
    assert same(base, tmp_path, "Q3_K_M", imatrix=matrix, requantize=True)


@pytest.mark.parametrize("kind", PACKED, ids=lambda kind: kind.name)
def test_blocks_are_decoded_as_llama_quantize_decodes_them(kind: GgmlType, tmp_path: Path) -> None:
    """To F32, where nothing is rounded afterwards; any bits that ggml takes for blocks."""
    random = np.random.default_rng(5)
    rows: list[bytes] = []
    while len(rows) < 4:
        row = random.integers(0, 256, (1, kind.row_bytes(256)), dtype=np.uint8)
        if load_ggml().is_valid(kind, row):
            rows.append(row.tobytes())
    base = tmp_path / "base.gguf"
    write_one_layer(base, kind, b"".join(rows))
    assert same(base, tmp_path, "F32", requantize=True)


def test_what_no_recipe_touches_keeps_its_type_and_ones_at_the_end_are_no_dimensions(
    tmp_path: Path,
) -> None:
    base = tmp_path / "base.gguf"
    odd = {
        "blk.0.attn_norm.weight": ((256,), GgmlType.F16, bytes(512)),
        "blk.0.attn_q.bias": ((256,), GgmlType.BF16, bytes(512)),
        "blk.0.narrow.weight": ((256, 1), GgmlType.F16, bytes(512)),
        "blk.0.wide.weight": ((256, 2, 1, 1), GgmlType.F16, bytes(1024)),
        "some.table": ((256, 2), GgmlType.I32, bytes(2048)),
        "zero": ((1,), GgmlType.F32, bytes(4)),
    }
    blocks = np.random.default_rng(1).normal(0, 1, (4, 256)).astype("<f2")
    write_one_layer(base, GgmlType.F16, blocks.tobytes(), more=odd)
    assert same(base, tmp_path, "Q4_K_M")
    made = {tensor.name: tensor for tensor in read_gguf(tmp_path / "ours.gguf").tensors}
    assert made["blk.0.attn_norm.weight"].type is GgmlType.F16
    assert made["some.table"].type is GgmlType.I32
    assert made["blk.0.narrow.weight"].shape == (256,)
    assert made["blk.0.wide.weight"].shape == (256, 2)
    assert made["blk.0.wide.weight"].type is GgmlType.Q4_K


def test_odd_keys_pass_through_in_their_order(tmp_path: Path) -> None:
    base = tmp_path / "base.gguf"
    keys = [
        u32("general.quantization_version", 1),
        text("zz.mine", "\u00e9 \udcff"),
        u32("general.file_type", 1),
        array("zz.flags", Kind.BOOL, [True, False] * 50),
        array("zz.texts", Kind.STRING, ["", "a", "\udcfe"] * 50),
        array("zz.none", Kind.INT8, []),
        KeyValue("zz.big", Kind.UINT64, 2**64 - 1),
        KeyValue("zz.small", Kind.INT8, -128),
        KeyValue("zz.exact", Kind.FLOAT64, 0.1),
        u32("general.alignment", 32),
    ]
    write_one_layer(base, GgmlType.F16, bytes(2048), keys=keys)
    assert same(base, tmp_path, "Q8_0")


def test_another_alignment_is_not_taken_over(tmp_path: Path) -> None:
    """llama-quantize keeps the key and lays out by 32 bytes: a file that nobody can read."""
    base = tmp_path / "base.gguf"
    odd = {"a": ((3,), GgmlType.F32, bytes(12)), "b": ((3,), GgmlType.F32, bytes(12))}
    keys = [u32("general.alignment", 128)]
    write_one_layer(base, GgmlType.F16, bytes(2048), keys=keys, more=odd, alignment=128)
    ours(base, tmp_path / "ours.gguf", "Q8_0")
    made = read_gguf(tmp_path / "ours.gguf")
    assert made.alignment == 32
    assert "general.alignment" not in made.metadata
    assert len(made.tensors) == len(read_gguf(base).tensors)


def test_version_2_is_read_and_version_3_written(llama: Model, tmp_path: Path) -> None:
    base = tmp_path / "base.gguf"
    content = bytearray(llama.base.read_bytes())
    content[4] = 2
    base.write_bytes(content)
    assert same(base, tmp_path, "Q8_0")
    assert read_gguf(tmp_path / "ours.gguf").version == 3


def test_what_the_user_asks_for(llama: Model, tmp_path: Path) -> None:
    asked = {"output": GgmlType.Q5_0, "token_embedding": GgmlType.Q8_0}
    made = ours(llama.base, tmp_path / "a", "Q4_K_M", asked=Overrides(**asked))  # type: ignore[arg-type]
    quantize(llama.base, tmp_path / "b", FileType.Q4_K_M, **asked)  # type: ignore[arg-type]
    assert made == (tmp_path / "b").read_bytes()
    made = ours(llama.base, tmp_path / "a", "Q4_K_M", asked=Overrides(pure=True))
    quantize(llama.base, tmp_path / "b", FileType.Q4_K_M, pure=True)
    assert made == (tmp_path / "b").read_bytes()


def test_llama_quantize_refuses_a_second_time_too(llama: Model, tmp_path: Path) -> None:
    base = tmp_path / "base.gguf"
    theirs(llama.base, base, "Q8_0")
    with pytest.raises(LlamaQuantizeError, match="requantizing from type q8_0 is disabled"):
        theirs(base, tmp_path / "x", "Q4_K_M")
    theirs(base, tmp_path / "x", "Q8_0")  # a copy is none
