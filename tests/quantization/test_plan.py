"""A plan is exact, explains itself, and refuses what cannot work."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.errors import PlanError, RecipeError, UsageError
from qwq_gguf.ggml_types import FileType, GgmlType
from qwq_gguf.gguf_file import encode_header, padded
from qwq_gguf.quantization import (
    Overrides,
    load_recipe,
    make_plan,
    parse_recipe,
    parse_tensor_type,
)
from qwq_gguf.quantization.planning.tensor_kinds import kind_of
from support.imatrix import covering
from support.shapes import DEMO, QWEN_05B, QWQ_32B, TINY_LLAMA, conversion

NOWHERE = Path("weights.bin")


def test_what_is_no_conversion_is_told_of_the_verb() -> None:
    with pytest.raises(UsageError, match="a plan is made of a conversion") as told:
        make_plan(open_checkpoint("demo"), load_recipe("Q4_K_M"))  # type: ignore[arg-type]
    assert "qwq_gguf.plan" in str(told.value)


def test_sizes_at_qwqs_shape_are_the_known_ones() -> None:
    plan = make_plan(conversion(QWQ_32B, NOWHERE), load_recipe("Q4_K_M"))
    assert sum(tensor.nbytes for tensor in plan.tensors) == 19_845_357_568
    assert plan.weights == 32_763_876_352
    sixes = [
        tensor.source.layer
        for tensor in plan.tensors
        if tensor.type is GgmlType.Q6_K and "ffn_down" in tensor.name
    ]
    assert sixes == [*range(8), *range(10, 56, 3), *range(56, 64)]


def test_offsets_follow_one_another() -> None:
    plan = make_plan(conversion(DEMO, NOWHERE), load_recipe("Q3_K_M"))
    offset = 0
    for tensor in plan.tensors:
        assert tensor.offset == offset
        assert tensor.nbytes == tensor.rows * tensor.row_bytes
        offset += padded(tensor.nbytes, 32)
    assert plan.data_offset == len(encode_header(plan.metadata, plan.tensors))
    assert plan.file_bytes == plan.data_offset + offset


def test_a_packed_file_has_its_type_last_and_tensors_by_layer() -> None:
    made = conversion(TINY_LLAMA, NOWHERE)
    plan = make_plan(made, load_recipe("Q4_K_M"))
    assert [entry.key for entry in plan.metadata[-2:]] == [
        "general.quantization_version",
        "general.file_type",
    ]
    assert [entry.value for entry in plan.metadata[-2:]] == [2, FileType.Q4_K_M]
    assert [tensor.name for tensor in plan.tensors] == [t.name for t in made.tensors]


def test_a_float_file_is_as_the_converter_writes_it() -> None:
    made = conversion(TINY_LLAMA, NOWHERE)
    plan = make_plan(made, load_recipe("BF16"))
    assert plan.metadata == made.converter_metadata(FileType.BF16)
    assert [tensor.name for tensor in plan.tensors] == [t.name for t in made.converter_order]


def test_json_is_one_plain_object() -> None:
    plan = make_plan(conversion(DEMO, NOWHERE), load_recipe("Q4_K_M"))
    said = json.loads(json.dumps(plan.to_json()))
    assert said["schema"] == "qwq-gguf/plan/1"
    assert (said["architecture"], said["recipe"]) == ("qwen2", "Q4_K_M")
    assert said["file_bytes"] == plan.file_bytes
    assert said["bits_per_weight"] == pytest.approx(plan.bits_per_weight, abs=1e-4)
    assert said["metadata"]["general.architecture"] == "qwen2"
    assert said["metadata"]["qwen2.attention.layer_norm_rms_epsilon"] == 1e-6
    first = plan.tensors[0]
    assert said["tensors"][0] == {
        "name": "output.weight",
        "shape": [256, 512],
        "type": "Q6_K",
        "offset": 0,
        "bytes": first.nbytes,
    }
    assert len(said["tensors"]) == len(plan.tensors)


def test_every_type_has_a_reason() -> None:
    plan = make_plan(
        conversion(QWEN_05B, NOWHERE),
        load_recipe("Q4_K_M"),
        Overrides((parse_tensor_type("attn_q=Q8_0"),)),
    )
    why = {tensor.name: tensor.why for tensor in plan.tensors}
    assert why["blk.0.attn_q.weight"] == "asked for attn_q"
    assert why["token_embd.weight"] == "Q6_K needs rows in multiples of 256, not 896"
    assert why["blk.0.ffn_down.weight"].startswith("errors in the first")
    assert why["blk.3.ffn_down.weight"] == "Q4_K_M's base type"
    assert why["blk.0.attn_norm.weight"].startswith("vectors")


@pytest.mark.parametrize("name", ["IQ2_XS", "IQ1_S", "IQ3_XS", "Q2_K_S"])
def test_a_mix_that_needs_an_imatrix_is_refused_without_one(name: str) -> None:
    made = conversion(DEMO, NOWHERE)
    with pytest.raises(PlanError, match=f"{name} needs an importance matrix") as caught:
        make_plan(made, load_recipe(name))
    assert "blk.0." in str(caught.value)
    assert make_plan(made, load_recipe(name), imatrix=covering(made)).recipe == name


def test_an_imatrix_with_a_hole_is_refused_where_it_matters() -> None:
    made = conversion(DEMO, NOWHERE)
    names = {tensor.name for tensor in made.tensors if tensor.layer is not None}
    covered = covering(made, names - {"blk.2.attn_k.weight"})
    with pytest.raises(PlanError, match=r"says nothing about blk\.2\.attn_k"):
        make_plan(made, load_recipe("IQ2_XS"), imatrix=covered)
    assert make_plan(made, load_recipe("Q4_K_M"), imatrix=covered).tensors


@pytest.mark.parametrize("kind", ["IQ2_XXS", "IQ2_XS", "IQ1_S"])
def test_types_whose_quantizer_would_abort_are_refused_anywhere(kind: str) -> None:
    made = conversion(DEMO, NOWHERE)
    asked = Overrides(token_embedding=GgmlType[kind])
    for imatrix in (None, covering(made)):
        with pytest.raises(PlanError, match=r"token_embd|importance matrix"):
            make_plan(made, load_recipe("Q4_K_M"), asked, imatrix=imatrix)


@pytest.mark.parametrize(
    "text", ["", "Q4_K", "=Q4_K", "attn_q=", "attn_q=Q4_L", "(=Q4_K", "attn_q:Q4_K"]
)
def test_an_override_that_makes_no_sense(text: str) -> None:
    with pytest.raises(RecipeError):
        parse_tensor_type(text)


def test_an_override_may_hold_an_equals_sign() -> None:
    pattern, kind = parse_tensor_type("attn_[=q]=q8_0")
    assert pattern.search("blk.0.attn_q.weight")
    assert kind is GgmlType.Q8_0


def test_rules_by_name_and_rank() -> None:
    """Layers count among those that have the kind, as llama.cpp counts."""
    recipe = parse_recipe(
        'name = "x"\nbase = "Q4_K"\n[[rule]]\nnames = "attn_[qk]"\n'
        'layers = { from = 1, until = 2 }\ntype = "Q8_0"'
    )
    plan = make_plan(conversion(DEMO, NOWHERE), recipe)
    assert [tensor.name for tensor in plan.tensors if tensor.type is GgmlType.Q8_0] == [
        "blk.1.attn_k.weight",
        "blk.1.attn_q.weight",
    ]


@pytest.mark.parametrize(
    "name, kind",
    [
        ("output.weight", "output"),
        ("token_embd.weight", "token_embd"),
        ("blk.0.attn_output.weight", "attn_output"),
        ("blk.0.attn_qkv.weight", "attn_v"),
        ("blk.0.attn_kv_b.weight", "attn_v"),
        ("blk.0.ffn_down_exps.weight", "ffn_down"),
        ("blk.0.attn_q_a.weight", "other"),
        ("output_norm.weight", "other"),
    ],
)
def test_kinds(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_planning_a_large_model_is_quick() -> None:
    made = conversion(QWQ_32B, NOWHERE)
    start = time.process_time()
    make_plan(made, load_recipe("Q4_K_M")).to_json()
    assert time.process_time() - start < 1
