"""Every recipe at every shape gives each tensor the type that llama.cpp's quantizer does.

The oracle is a dry run of llama_model_quantize over a sparse BF16 file of the right
shape, its log parsed.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.conversion.values import Conversion
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import encode_header, tensor_bytes
from qwq_gguf.quantization import Overrides, load_recipe, make_plan, parse_tensor_type, recipe_names
from qwq_gguf.quantization.planning.mix import choose_types
from support.imatrix import covering
from support.llama_quantize import decided_types, quantize
from support.shapes import (
    DEMO,
    LLAMA_70B,
    QWEN_05B,
    QWEN_72B,
    QWQ_32B,
    R1_7B,
    Shape,
    conversion,
)

# Multi-head attention and grouped attention below the bounds that rules ask for.
MHA = Shape("llama", 512, 9, 8, 8, 1024, 512)
GQA_2_OF_80 = Shape("llama", 512, 80, 8, 4, 768, 512)
MHA_80 = Shape("llama", 512, 80, 8, 8, 768, 512)
ODD = Shape("qwen2", 288, 5, 9, 3, 800, 300)
UNEVEN = Shape("qwen2", 272, 3, 4, 2, 528, 300)

SHAPES = {
    "QwQ-32B": QWQ_32B,
    "R1-7B": R1_7B,
    "Llama-70B": LLAMA_70B,
    "Qwen2-72B": QWEN_72B,
    "tied-0.5B": QWEN_05B,
    "demo": DEMO,
    "multi-head": MHA,
    "80-layers-gqa-2": GQA_2_OF_80,
    "80-layers-multi-head": MHA_80,
    "rows-of-32": ODD,
    "rows-of-16": UNEVEN,
}


@pytest.fixture(scope="module", params=SHAPES)
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Conversion, Path]:
    folder = tmp_path_factory.mktemp("sparse")
    return sparse(SHAPES[request.param], folder)


def sparse(shape: Shape, folder: Path) -> tuple[Conversion, Path]:
    """A conversion and its BF16 GGUF, all zeros that take no space."""
    made = conversion(shape, folder / "none.bin")
    plan = make_plan(made, load_recipe("BF16"))
    path = folder / "bf16.gguf"
    with path.open("wb") as file:
        file.write(encode_header(plan.metadata, plan.tensors))
        file.truncate(plan.file_bytes)
    return made, path


ANY_IMATRIX = {"anything": np.ones(1, dtype=np.float32)}


@pytest.mark.parametrize("imatrix", [False, True], ids=["plain", "imatrix"])
@pytest.mark.parametrize("name", recipe_names())
def test_types_are_llama_cpps(model: tuple[Conversion, Path], name: str, imatrix: bool) -> None:
    made, path = model
    recipe = load_recipe(name)
    log = quantize(
        path,
        path.with_name("never-written.gguf"),
        recipe.file_type,
        dry_run=True,
        imatrix=ANY_IMATRIX if imatrix else None,
    )
    choices = choose_types(made.tensors, made.facts, recipe, imatrix=imatrix)
    ours = {tensor.name: choice.type for tensor, choice in zip(made.tensors, choices, strict=True)}
    assert ours == decided_types(log)
    assert list(ours) == list(decided_types(log))
    found = re.search(r"quant size += +([\d.]+) MiB", log)  # rounded to a hundredth
    assert found
    size = sum(tensor_bytes(ours[tensor.name], tensor.shape) for tensor in made.tensors)
    assert size / 2**20 == pytest.approx(float(found[1]), abs=0.0051)


@pytest.mark.parametrize("name", recipe_names())
def test_the_stated_bits_are_those_at_qwqs_shape(tmp_path: Path, name: str) -> None:
    made = conversion(QWQ_32B, tmp_path / "none.bin")
    recipe = load_recipe(name)
    covered = covering(made) if recipe.needs_imatrix else None
    plan = make_plan(made, recipe, imatrix=covered)
    assert recipe.bits == round(plan.bits_per_weight, 2)


ASKED = {
    "output": {"output": GgmlType.Q5_0},
    "embedding": {"token_embedding": GgmlType.Q5_1},
    "both": {"output": GgmlType.Q4_0, "token_embedding": GgmlType.Q8_0},
    "pure": {"pure": True},
    "pure-output": {"pure": True, "output": GgmlType.Q8_0},
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("name", ["Q4_K_M", "IQ4_XS", "Q8_0", "Q2_K"])
@pytest.mark.parametrize("shape", ["demo", "tied-0.5B"])
def test_what_users_ask_for_is_decided_in_llama_cpps_order(
    tmp_path: Path, asked: str, name: str, shape: str
) -> None:
    made, path = sparse(SHAPES[shape], tmp_path)
    recipe = load_recipe(name)
    log = quantize(path, tmp_path / "x", recipe.file_type, dry_run=True, **ASKED[asked])  # type: ignore[arg-type]
    plan = make_plan(made, recipe, Overrides(**ASKED[asked]))  # type: ignore[arg-type]
    assert {tensor.name: tensor.type for tensor in plan.tensors} == decided_types(log)


@pytest.mark.parametrize(
    "asked",
    [
        ["attn_q=Q8_0"],
        ["ffn_(up|gate)=Q5_K", "ffn=Q3_K"],
        [r"blk\.[0-3]\.attn_output\.weight$=F16"],
        ["weight=IQ4_NL", "attn_q=Q8_0"],
        ["token_embd=Q2_K", "output=Q3_K"],
        ["nothing-is-called-this=F32"],
    ],
    ids="; ".join,
)
def test_types_asked_for_by_name(tmp_path: Path, asked: list[str]) -> None:
    """Patterns that name no counted kind, or all of it, shift nothing in llama.cpp either."""
    made, path = sparse(DEMO, tmp_path)
    recipe = load_recipe("Q4_K_M")
    pairs = [(item.rpartition("=")[0], GgmlType[item.rpartition("=")[2]]) for item in asked]
    log = quantize(path, tmp_path / "x", recipe.file_type, dry_run=True, overrides=pairs)
    overrides = Overrides(tuple(parse_tensor_type(item) for item in asked))
    plan = make_plan(made, recipe, overrides)
    assert {tensor.name: tensor.type for tensor in plan.tensors} == decided_types(log)


def test_a_type_asked_for_shifts_no_other_tensor(tmp_path: Path) -> None:
    """Unlike in llama.cpp, where one skipped layer moves the mix of all later ones."""
    made, path = sparse(QWQ_32B, tmp_path)
    recipe = load_recipe("Q4_K_M")
    name = "blk.0.ffn_down.weight"
    plain = {tensor.name: tensor.type for tensor in make_plan(made, recipe).tensors}
    asked = Overrides((parse_tensor_type(rf"^{re.escape(name)}$=Q8_0"),))
    ours = {tensor.name: tensor.type for tensor in make_plan(made, recipe, asked).tensors}
    assert ours == plain | {name: GgmlType.Q8_0}
    log = quantize(
        path, tmp_path / "x", recipe.file_type, dry_run=True, overrides=[(name, GgmlType.Q8_0)]
    )
    assert decided_types(log) != ours
