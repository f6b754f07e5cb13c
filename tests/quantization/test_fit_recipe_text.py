"""A choice of types as a recipe: read again, it gives every tensor its type."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization.fitting.measured import Measured
from qwq_gguf.quantization.fitting.recipe_text import recipe_text
from qwq_gguf.quantization.recipes.language import parse_recipe
from qwq_gguf.quantization.recipes.recipe import Recipe

KINDS = [GgmlType.Q2_K, GgmlType.Q3_K, GgmlType.Q4_K, GgmlType.Q6_K, GgmlType.BF16]


def types_of(recipe: Recipe, names: list[str]) -> dict[str, GgmlType]:
    return {
        name: next(
            (rule.type for rule in recipe.rules if rule.names and rule.names.search(name)),
            recipe.base,
        )
        for name in names
    }


def test_the_largest_models_fit_the_language() -> None:
    """94 layers of twelve matrices, and 160 of seven, no two neighbours alike."""
    rng = random.Random(2)
    for layers, parts in ((94, 12), (160, 7)):
        names = [f"blk.{n}.part_{part}.weight" for n in range(layers) for part in range(parts)]
        types = {name: rng.choice(KINDS) for name in ("output.weight", "token_embd.weight", *names)}
        recipe = parse_recipe(recipe_text("Fit-4.00", "many", types))
        assert types_of(recipe, list(types)) == types


def test_a_name_is_no_beginning_of_another() -> None:
    types = {
        "blk.1.ffn_up.weight": GgmlType.Q3_K,
        "blk.11.ffn_up.weight": GgmlType.Q4_K,
        "blk.1.ffn_up_exps.weight": GgmlType.Q4_K,
        "xblk.1.ffn_up.weight": GgmlType.Q4_K,
        "blk.1.ffn_upzweight": GgmlType.Q4_K,
    }
    recipe = parse_recipe(recipe_text("a", "b", types))
    assert types_of(recipe, list(types)) == types


@given(st.text(max_size=30), st.text(max_size=30))
def test_strangers_words_break_no_recipe(name: str, comment: str) -> None:
    types = {f"blk.0.{name}": GgmlType.Q6_K, "output.weight": GgmlType.Q2_K, "a": GgmlType.Q2_K}
    text = recipe_text("a", f"x{comment}", types, [comment, f"\n[[rule]]\n{comment}"])
    if any(0xD800 <= ord(each) <= 0xDFFF for each in name):
        return
    recipe = parse_recipe(text)
    assert recipe.base is GgmlType.Q2_K
    assert types_of(recipe, list(types)) == types


def test_without_a_quantized_type_the_base_is_one_all_the_same() -> None:
    recipe = parse_recipe(recipe_text("a", "b", {"output.weight": GgmlType.BF16}))
    assert recipe.base.quantized
    assert types_of(recipe, ["output.weight"]) == {"output.weight": GgmlType.BF16}


def test_what_was_kept_is_believed_only_whole_and_of_the_same() -> None:
    kept = Measured("these", {"a": {GgmlType.Q2_K: 0.25, GgmlType.Q8_0: 1e-5}})
    value = kept.to_json()
    assert Measured.of_json(value, "these") == kept
    assert not Measured.of_json(value, "those").errors
    damaged: list[object] = [None, [], {}, value | {"errors": {"a": {"Q2_K": "1"}}}]
    for broken in damaged:
        assert not Measured.of_json(broken, "these").errors
    for error in (float("nan"), -1.0, True, None):
        assert not Measured.of_json(value | {"errors": {"a": {"Q2_K": error}}}, "these").errors
    wanted = {"a": (GgmlType.Q2_K, GgmlType.Q4_K), "b": (GgmlType.Q2_K,)}
    assert kept.missing(wanted) == {"a": [GgmlType.Q4_K], "b": [GgmlType.Q2_K]}
