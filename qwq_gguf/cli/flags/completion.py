"""What the shell completes a word to: names that are looked up only when it asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["complete_profile", "complete_recipe", "completing"]


def completing(
    names: Callable[[], Iterable[str]], *, capitals: bool = False
) -> Callable[[str], list[str]]:
    """Completes to those of the names that begin like the word. Names in `capitals` are small
    where the word is: typer drops what does not begin with it to the letter.
    """

    def complete(incomplete: str) -> list[str]:
        small = capitals and incomplete.islower()
        known = (name.lower() if small else name for name in names())
        return [name for name in known if name.startswith(incomplete)]

    return complete


def _profiles() -> Iterable[str]:
    from qwq_gguf.profiles import AUTO, profile_names

    return (*profile_names(), AUTO)


def _recipes() -> Iterable[str]:
    from qwq_gguf.quantization.recipes.shipped import recipe_names

    return recipe_names()


complete_profile = completing(_profiles)
complete_recipe = completing(_recipes, capitals=True)
