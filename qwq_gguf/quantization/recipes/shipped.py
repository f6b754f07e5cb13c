"""Finding recipes: the shipped ones by name, a user's own by path."""

from __future__ import annotations

from pathlib import Path

from qwq_gguf.errors import RecipeError
from qwq_gguf.quantization.recipes.language import parse_recipe
from qwq_gguf.quantization.recipes.recipe import Recipe
from qwq_gguf.resources import recipes_dir
from qwq_gguf.toml_table import read_toml
from qwq_gguf.words import did_you_mean, one_of

__all__ = ["load_recipe", "recipe_names"]

_MAX_BYTES = 1 << 18


def recipe_names() -> tuple[str, ...]:
    """The shipped recipes, the most bits first."""
    recipes = [load_recipe(path) for path in _shipped().values()]
    recipes.sort(key=lambda recipe: (-(recipe.bits or 0.0), recipe.name))
    return tuple(recipe.name for recipe in recipes)


def load_recipe(name: str | Path) -> Recipe:
    """A shipped recipe by its name in any case, or any recipe by the path of its TOML.

    RecipeError for an unknown name (with the nearest ones) and for a malformed file.
    """
    shipped = _shipped()
    path = None if isinstance(name, Path) else shipped.get(name.upper())
    if path is None:
        path = Path(name)
        if path.suffix.lower() != ".toml":
            known = [found.stem for found in shipped.values()]
            near = did_you_mean(str(name), known)
            own = "give the path of a .toml to use a recipe of your own"
            raise RecipeError(
                f"no recipe is called {name}",
                expected=one_of(known),
                hint=f"{near} {own}" if near else own,
            )
    return parse_recipe(read_toml(path, _MAX_BYTES, "recipe", RecipeError), path)


def _shipped() -> dict[str, Path]:
    return {path.stem.upper(): path for path in sorted(recipes_dir().glob("*.toml"))}
