"""What a result is made of, and what is said when it is not the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.conversion.values import Conversion, RowOrder
from qwq_gguf.metadata import ValueType, array, text
from qwq_gguf.quantization import Imatrix, load_recipe, make_plan
from qwq_gguf.quantization.planning.plan import Plan
from qwq_gguf.quantization.writing.fingerprint import (
    Difference,
    differences,
    fingerprint,
    shards_of,
)
from support.shapes import TINY_LLAMA, conversion

MADE = conversion(TINY_LLAMA, Path("folder/weights.bin"))


def of(plan: Plan) -> dict[str, object]:
    return fingerprint(
        plan,
        identity=lambda shard: f"this {shard.name}",
        versions={"ggml": "1"},
        about={"recipe": {"text": "sha256 0"}, "options": {"pure": False}},
    )


def test_it_is_json_for_people() -> None:
    found = of(make_plan(MADE, load_recipe("Q4_K_M")))
    assert json.loads(json.dumps(found)) == found
    assert found["source"] == {"weights.bin": "this weights.bin"}
    assert found["recipe"] == {"name": "Q4_K_M", "text": "sha256 0"}
    assert found["metadata"]["general.name"] == '"shape"'  # type: ignore[index]


def test_the_place_of_a_shard_does_not_matter() -> None:
    plans = [
        make_plan(conversion(TINY_LLAMA, Path(folder) / "weights.bin"), load_recipe("Q8_0"))
        for folder in ("here", "there")
    ]
    assert differences(of(plans[0]), of(plans[1])) == ()
    assert shards_of(plans[0]) == (Path("here/weights.bin"),)


def first_tensor(made: Conversion, **changes: object) -> Conversion:
    name = "blk.0.attn_q.weight"
    return replace(
        made,
        tensors=tuple(
            replace(each, **changes) if each.name == name else each  # type: ignore[arg-type]
            for each in made.tensors
        ),
    )


@pytest.mark.parametrize(
    "change, name",
    [
        (lambda: make_plan(MADE, load_recipe("Q6_K")), "recipe: name"),
        (
            lambda: make_plan(
                first_tensor(MADE, row_order=RowOrder((1, 0))), load_recipe("Q4_K_M")
            ),
            "tensors: all",
        ),
        (
            lambda: make_plan(
                replace(MADE, metadata=(*MADE.metadata, text("x.y", "z"))), load_recipe("Q4_K_M")
            ),
            "metadata: x.y",
        ),
        (
            lambda: make_plan(
                MADE,
                load_recipe("Q4_K_M"),
                imatrix=Imatrix("x", {"blk.0.ffn_up.weight": np.ones(256, dtype=np.float32)}),
            ),
            "metadata: quantize.imatrix.file",
        ),
    ],
)
def test_a_change_is_named(change: Callable[[], Plan], name: str) -> None:
    before, now = of(make_plan(MADE, load_recipe("Q4_K_M"))), of(change())
    assert name in [each.name for each in differences(before, now)]
    assert differences(now, now) == ()


def test_weights_of_an_imatrix_matter_and_not_only_its_keys() -> None:
    plans = [
        make_plan(
            MADE,
            load_recipe("Q4_K_M"),
            imatrix=Imatrix("x", {"blk.0.ffn_up.weight": np.full(256, one, dtype=np.float32)}),
        )
        for one in (1, 2)
    ]
    found = differences(of(plans[0]), of(plans[1]))
    assert [each.name for each in found] == ["tensors: all"]


def test_arrays_are_compared_by_their_items() -> None:
    plans = [
        make_plan(
            replace(MADE, metadata=(*MADE.metadata, array("a", ValueType.STRING, words))),
            load_recipe("Q8_0"),
        )
        for words in (["a", "b"], ["a", "c"])
    ]
    (found,) = differences(of(plans[0]), of(plans[1]))
    assert found.name == "metadata: a"


def test_causes_go_before_what_follows_from_them() -> None:
    before = {"options": {"a": 1}, "metadata": {"k": "v"}, "other": {"x": True}}
    now = {"options": {"b": None}, "metadata": {"k": "w"}, "other": {"x": False}}
    assert differences(before, now) == (
        Difference("options: b", None, "null"),
        Difference("options: a", "1", None),
        Difference("other: x", "true", "false"),
    )


def test_what_is_damaged_is_different() -> None:
    now = {"source": {"a": "b"}}
    assert differences({"source": "what?"}, now) == (Difference("source: a", None, "b"),)
