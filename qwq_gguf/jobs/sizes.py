"""How large a model becomes by each recipe, from its headers alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import PlanError
from qwq_gguf.jobs.events import Report, silent
from qwq_gguf.jobs.fetching import asking

if TYPE_CHECKING:
    from qwq_gguf.quantization.recipes.recipe import Recipe

__all__ = ["Size", "Sizes", "sizes_of"]


@dataclass(frozen=True, slots=True)
class Size:
    """A recipe, and the bytes and bits a weight it comes to; None where it cannot be applied,
    and `why` it cannot.
    """

    recipe: Recipe
    file_bytes: int | None = None
    bits_per_weight: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a model is called, its weights, and its size by each recipe."""

    name: str
    weights: int
    sizes: tuple[Size, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it as one object."""
        return {
            "schema": "qwq-gguf/recipe-sizes/1",
            "model": self.name,
            "weights": self.weights,
            "recipes": [
                {
                    "name": size.recipe.name,
                    "file_bytes": size.file_bytes,
                    "bits_per_weight": size.bits_per_weight,
                    "needs_imatrix": size.recipe.needs_imatrix,
                    "about": size.recipe.about,
                    "why": size.why or None,
                }
                for size in self.sizes
            ],
        }


def sizes_of(
    source: str,
    report: Report = silent,
    *,
    revision: str | None = None,
    token: str | None = None,
) -> Sizes:
    """The exact size of a checkpoint or a large GGUF by every shipped recipe."""
    from qwq_gguf.jobs.source import open_source
    from qwq_gguf.preparation import prepare
    from qwq_gguf.quantization.planning.plan import make_plan
    from qwq_gguf.quantization.recipes.shipped import load_recipe, recipe_names

    with asking(report, source):
        opened = open_source(source, revision=revision, token=token)
    conversion = prepare(opened.convert()).conversion
    sizes, weights = [], 0
    for recipe in map(load_recipe, recipe_names()):
        try:
            plan = make_plan(conversion, recipe)
        except PlanError as error:
            needs = "needs an importance matrix" if recipe.needs_imatrix else error.message
            sizes.append(Size(recipe, why=needs))
            continue
        weights = plan.weights
        sizes.append(Size(recipe, plan.file_bytes, plan.bits_per_weight))
    return Sizes(opened.name, weights, tuple(sizes))
