"""What the shell completes a word to: names that are looked up only when it asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["complete_profile", "complete_recipe", "completing"]


def completing(
    names: Callable[[], Iterable[str]], *, capitals: bool = False
) -> Callable[[str], list[str]]:
    """Completes to those of the names that begin like the word; names in `capitals` also from
    small letters.
    """

    def complete(incomplete: str) -> list[str]:
        begun = incomplete.upper() if capitals else incomplete
        return [name for name in names() if name.startswith(begun)]

    return complete


def _profiles() -> Iterable[str]:
    from qwq_gguf.profiles import AUTO, profile_names

    return (*profile_names(), AUTO)


def _recipes() -> Iterable[str]:
    from qwq_gguf.quantization.recipes.shipped import recipe_names

    return recipe_names()


complete_profile = completing(_profiles)
complete_recipe = completing(_recipes, capitals=True)
