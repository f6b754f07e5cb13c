"""From a conversion and a recipe to a finished GGUF: a pure plan, then the run of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwq_gguf.quantization.planning.importance import Imatrix
from qwq_gguf.quantization.planning.mix import Overrides, parse_tensor_type
from qwq_gguf.quantization.planning.plan import Plan, TensorPlan, make_plan
from qwq_gguf.quantization.recipes.language import parse_recipe, parse_type
from qwq_gguf.quantization.recipes.recipe import Recipe, Rule
from qwq_gguf.quantization.recipes.shipped import load_recipe, recipe_names

if TYPE_CHECKING:
    from qwq_gguf.quantization.planning.imatrix import read_imatrix
    from qwq_gguf.quantization.running.run import Progress, Summary, run_plan

__all__ = [
    "Imatrix",
    "Overrides",
    "Plan",
    "Progress",
    "Recipe",
    "Rule",
    "Summary",
    "TensorPlan",
    "load_recipe",
    "make_plan",
    "parse_tensor_type",
    "parse_recipe",
    "parse_type",
    "read_imatrix",
    "recipe_names",
    "run_plan",
]

# Running needs numpy and libggml, and an imatrix is made of numpy arrays; planning without
# one needs neither.
_LATE = {
    "Progress": "running.run",
    "Summary": "running.run",
    "read_imatrix": "planning.imatrix",
    "run_plan": "running.run",
}


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
    globals()[name] = value
    return value
