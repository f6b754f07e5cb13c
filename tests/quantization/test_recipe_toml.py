"""The recipe language: what it means, and what it says about mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwq_gguf.errors import RecipeError
from qwq_gguf.ggml_types import FileType, GgmlType
from qwq_gguf.quantization import load_recipe, parse_recipe, parse_type, recipe_names
from qwq_gguf.quantization.recipes.recipe import Condition, LayerRange

HEAD = 'name = "mine"\nbase = "Q4_K"\n'
RULE = HEAD + '[[rule]]\ntensors = "attn_v"\ntype = "Q6_K"\n'


def test_a_recipe_says_what_it_says() -> None:
    recipe = parse_recipe(
        HEAD
        + """
        about = "for a test"
        file_type = "q4_k_s"
        [[rule]]
        tensors = ["attn_v", "ffn_down"]
        layers = [{ until = 3 }, { from = "1/8", until = "7/8", every = 3, skip = 2 }]
        when = [{ imatrix = false, gqa_at_least = 4 }, { tied = true }]
        type = "iq4_nl"
        why = "because"
        [[rule]]
        names = "^blk\\\\.0\\\\."
        layers = { from = "1/2" }
        when = { architecture = "llama", layer_count = 80, row_multiple_of = 256 }
        type = "F16"
        """
    )
    assert (recipe.name, recipe.about, recipe.bits) == ("mine", "for a test", None)
    assert (recipe.base, recipe.file_type) == (GgmlType.Q4_K, FileType.Q4_K_S)
    first, second = recipe.rules
    assert first.kinds == ("attn_v", "ffn_down")
    assert first.layers == (LayerRange(0, 3), LayerRange((1, 8), (7, 8), 3, 2))
    assert first.when == (Condition(imatrix=False, gqa_at_least=4), Condition(tied=True))
    assert (first.type, first.why) == (GgmlType.IQ4_NL, "because")
    assert second.names is not None
    assert second.names.search("blk.0.ffn_up.weight")
    assert second.layers == (LayerRange((1, 2), (1, 1)),)
    assert second.when == (Condition(architecture="llama", layer_count=80, row_multiple_of=256),)


@pytest.mark.parametrize(
    "base, file_type",
    [
        ("Q4_K", "Q4_K_M"),
        ("Q5_K", "Q5_K_M"),
        ("Q3_K", "Q3_K_M"),
        ("Q2_K", "Q2_K"),
        ("IQ3_S", "IQ3_S"),
        ("Q8_0", "Q8_0"),
        ("BF16", "BF16"),
        ("F32", "F32"),
    ],
)
def test_a_file_type_is_found_for_any_base(base: str, file_type: str) -> None:
    assert parse_recipe(f'name = "x"\nbase = "{base}"').file_type.name == file_type


@pytest.mark.parametrize(
    "text, why",
    [
        ("name = ", "not valid TOML"),
        ('base = "Q4_K"', "name must be a text of 1 to 2000 characters"),
        ('name = 7\nbase = "Q4_K"', "name must be a text"),
        ('name = "x"', "base is missing"),
        ('name = "x"\nbase = "Q4_L"', "Q4_K"),
        ('name = "x"\nbase = "Q8_1"', "did you mean Q"),
        (HEAD + "bese = 1", "did you mean base?"),
        (HEAD + 'file_type = "Q4_K_N"', "did you mean Q4_K_S or Q4_K_M?"),
        (HEAD + 'bits = "many"', "bits must be a number with a point"),
        (HEAD + "rule = 7", "rule must be a list of tables"),
        (HEAD + "rule = [7]", "rule must be a list of tables"),
        (HEAD + '[[rule]]\ntype = "Q6_K"', "must say which tensors"),
        (RULE + 'names = "x"', "must say which tensors"),
        (RULE.replace("attn_v", "attn_w"), "did you mean attn_v"),
        (RULE.replace('"attn_v"', "[]"), "names nothing"),
        (RULE.replace('"attn_v"', "3"), "names nothing"),
        (RULE.replace('"attn_v"', "[3]"), "called 3"),
        (RULE.replace('tensors = "attn_v"', 'names = "("'), "not a regular expression"),
        (RULE.replace("Q6_K", "Q6K"), "did you mean Q6_K"),
        (RULE + "layer = 1", "did you mean layers?"),
        (RULE + "layers = 1", "rule 1.layers must be a table"),
        (RULE + "layers = []", "layers is empty"),
        (RULE + 'layers = { until = "9/8" }', "no fraction"),
        (RULE + 'layers = { until = "1/0" }', "no fraction"),
        (RULE + 'layers = { until = "half" }', "no fraction"),
        (
            RULE + "layers = { until = -1 }",
            "layers.until must be a whole number, 0 to 65536",
        ),
        (RULE + "layers = { until = 1.5 }", "rule 1.layers.until must be a whole number"),
        (RULE + "layers = { from = true }", "rule 1.layers.from must be a whole number"),
        (RULE + "layers = { every = 0 }", "rule 1.layers.every must be a whole number, 1 to 65536"),
        (
            RULE + "layers = { every = 3, skip = 3 }",
            "layers.skip must be a whole number, 0 to 2",
        ),
        (RULE + "layers = { til = 1 }", "did you mean until?"),
        (RULE + "when = {}", "when is empty"),
        (RULE + "when = []", "when is empty"),
        (RULE + "when = { imatrx = true }", "did you mean imatrix?"),
        (RULE + "when = { imatrix = 1 }", "rule 1.when.imatrix must be true or false"),
        (
            RULE + "when = { gqa_at_least = 0 }",
            "when.gqa_at_least must be a whole number, 1 to",
        ),
        (RULE + "when = { layer_count = '80' }", "rule 1.when.layer_count must be a whole number"),
        (RULE + "when = { architecture = 3 }", "rule 1.when.architecture must be a text"),
        (RULE + "why = ''", "rule 1.why must be a text"),
    ],
)
def test_a_mistake_is_named_with_what_was_meant(text: str, why: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text, Path("mine.toml"))
    assert why in str(caught.value)
    assert caught.value.path == "mine.toml"


def test_types_have_names_in_any_case() -> None:
    assert parse_type("iq2_xxs") is GgmlType.IQ2_XXS
    with pytest.raises(RecipeError, match="Q4_Q") as caught:
        parse_type("Q4_Q")
    assert "did you mean" in str(caught.value)


def test_layer_fractions_round_down() -> None:
    span = LayerRange((1, 8), (7, 8), 3, 2)
    assert [layer for layer in range(28) if span.has(layer, 28)] == [5, 8, 11, 14, 17, 20, 23]
    assert [layer for layer in range(5) if LayerRange(0, (1, 8)).has(layer, 5)] == []


EXPECTED = [
    "F32", "F16", "BF16", "Q8_0", "MXFP4_MOE", "Q6_K", "Q5_K_M", "Q5_K_S", "Q5_0", "Q5_1", "Q4_K_M",
    "Q4_K_S", "Q4_0", "Q4_1", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K", "Q2_K_S", "IQ4_XS",
    "IQ4_NL", "IQ3_M", "IQ3_S", "IQ3_XS", "IQ3_XXS", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS",
    "IQ1_M", "IQ1_S", "TQ2_0", "TQ1_0",
]  # fmt: skip


def test_all_recipes_are_there_most_bits_first() -> None:
    names = recipe_names()
    assert sorted(names) == sorted(EXPECTED)
    bits = [load_recipe(name).bits for name in names]
    assert bits == sorted(bits, key=lambda value: -(value or 0))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_shipped_recipe_is_complete(name: str) -> None:
    recipe = load_recipe(name.lower())
    assert recipe.name == recipe.file_type.name == name
    assert recipe.about.endswith(".")
    assert recipe.bits
    assert all(rule.why for rule in recipe.rules)
    assert recipe.text.startswith(f'name = "{name}"')


@pytest.mark.parametrize(
    ("rule", "needs"),
    [
        ('names = "ffn_down"\ntype = "IQ2_S"', True),
        ('names = "blk\\\\.(30|31)\\\\.ffn"\ntype = "IQ3_XXS"', True),
        ('names = "weight"\ntype = "IQ1_M"', True),
        ('names = "ffn_down"\ntype = "Q6_K"', False),
        ('names = "^output"\ntype = "IQ2_S"', False),
        ('names = "token_embd"\ntype = "IQ2_S"', False),
        ('names = "^output"\ntype = "IQ2_XXS"', True),
        ('tensors = "output"\ntype = "IQ1_S"', True),
        ('tensors = "attn_v"\ntype = "IQ2_S"', True),
        ('tensors = "output"\ntype = "IQ2_S"', False),
        ('tensors = "attn_v"\ntype = "IQ2_S"\nwhen = { imatrix = true }', False),
        ('tensors = "attn_v"\ntype = "IQ2_S"\nwhen = [{ imatrix = true }, { tied = true }]', True),
    ],
)
def test_a_rule_may_need_an_imatrix(rule: str, *, needs: bool) -> None:
    assert parse_recipe(f"{HEAD}[[rule]]\n{rule}\n").needs_imatrix is needs


def test_which_recipes_need_an_imatrix() -> None:
    needy = {name for name in recipe_names() if load_recipe(name).needs_imatrix}
    assert needy == {
        "Q2_K_S",
        "IQ3_XS",
        "IQ3_XXS",
        "IQ2_M",
        "IQ2_S",
        "IQ2_XS",
        "IQ2_XXS",
        "IQ1_M",
        "IQ1_S",
    }


def test_an_unknown_recipe_has_neighbours() -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("Q4_K_N")
    assert "Q4_K_M" in str(caught.value)
    assert ".toml" in str(caught.value)
    with pytest.raises(RecipeError, match="no recipe is called zebra") as caught:
        load_recipe("zebra")
    assert "one of BF16" in str(caught.value)


def test_an_own_recipe_works_by_path(tmp_path: Path) -> None:
    path = tmp_path / "Mine.TOML"
    path.write_text(RULE)
    assert load_recipe(str(path)) == load_recipe(path) == parse_recipe(RULE)


@pytest.mark.parametrize(
    "content, why",
    [(None, "cannot be read"), (b"\xff\xfe", "not UTF-8 text"), (b"#" * 300_000, "too large")],
)
def test_a_file_that_is_no_recipe(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecipeError, match=why):
        load_recipe(path)
