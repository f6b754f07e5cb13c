"""Damaged profiles and recipes, and patterns for tensor names."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from qwq_gguf.conversion.values import Conversion
from qwq_gguf.profiles import load_profile
from qwq_gguf.profiles.gguf_keys import sampling_keys
from qwq_gguf.quantization import load_recipe, parse_tensor_type
from qwq_gguf.quantization.planning.mix import Overrides, choose_types
from qwq_gguf.quantization.recipes.recipe import Recipe
from qwq_gguf.resources import profiles_dir, recipes_dir
from soak_inputs import Trial
from soak_inputs._mutate import damaged_text, endless
from support.shapes import LITTLE_QWEN, conversion

__all__ = ["CLASS", "trials"]

CLASS = "toml"

_PIECES = (
    "a.", "a = ", "[[rule]]\n", "[chain]\n", "[chain.top_k]\n", "[stops]\n", "[governor]\n",
    "value = ", "source = 'x'\n", "names = ", "tensors = ", "layers = ", "type = 'Q6_K'\n",
    "[", "]", "[[", "]]", "{", "}", "{ until = '1/8' }", "when = { tied = true }\n",
    '"""', "'''", "1979-05-27T07:32:00Z", "0x", "1_", "1e", "inf", "nan", "true", "false",
    "9223372036854775808", "(a+)+", "(a|a)*", ".*", "[^a]", "{9}", "(?:", r"\\d", "\\",
    "names = 'blk\\.(0|1)'\n", "budget = 5\n", "tokens = 5\n", "order = ['top_k', 'dist']\n",
)  # fmt: skip


def trials(seed: int) -> Iterator[Trial]:
    """The shipped files, damaged."""
    return endless(seed, "toml", _run)


def _run(seed: int) -> None:
    rng = random.Random(seed)
    kind = rng.choice(("profile", "recipe", "recipe", "pattern"))
    if kind == "profile":
        path = Path("mine.toml")
        path.write_bytes(_damaged(rng.choice(_texts()[0]), rng))
        profile = load_profile(path)
        sampling_keys(profile, context=4096)
        return
    made = _model()
    if kind == "recipe":
        path = Path("recipe.toml")
        text = rng.choice(_texts()[1])
        if rng.random() < 0.4:
            text += f"\n[[rule]]\nnames = '{_pattern(rng)}'\ntype = 'Q6_K'\n"
        path.write_bytes(_damaged(text, rng))
        choose_types(made.tensors, made.facts, load_recipe(path), imatrix=rng.random() < 0.5)
        return
    pattern = parse_tensor_type(f"{damaged_text(_pattern(rng), rng, _PIECES)[:3000]}=Q6_K")
    choose_types(made.tensors, made.facts, _recipe(), Overrides(tensor_types=(pattern,)))


def _damaged(text: str, rng: random.Random) -> bytes:
    return damaged_text(text, rng, _PIECES).encode("utf-8", "surrogatepass")


def _pattern(rng: random.Random) -> str:
    parts = ("blk", r"\.", r"\d+", "(0|1|2)", "ffn_", "[a-z]*", ".*", "(a|a)*", "(.?){9}", "^", "$")
    return "".join(rng.choice(parts) for _ in range(rng.randrange(1, 9)))


@cache
def _texts() -> tuple[list[str], list[str]]:
    profiles, recipes = (
        [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.toml"))]
        for folder in (profiles_dir(), recipes_dir())
    )
    assert profiles
    assert recipes
    return profiles, recipes


@cache
def _model() -> Conversion:
    return conversion(LITTLE_QWEN, Path("x.safetensors"))


@cache
def _recipe() -> Recipe:
    return load_recipe("Q4_K_M")
