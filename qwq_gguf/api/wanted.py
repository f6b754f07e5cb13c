"""What a call asks to be made, checked and in the words of the jobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from qwq_gguf.api.calls import (
    check_flags,
    check_numbers,
    check_texts,
    name_of,
    names_of,
)
from qwq_gguf.errors import UsageError
from qwq_gguf.jobs.planning import Wanted
from qwq_gguf.quantization.recipes.recipe import Recipe

__all__ = ["RecipeLike", "wanted_of"]

RecipeLike: TypeAlias = str | Path | Recipe
"""A shipped recipe's name in any case, the path of a .toml, or a recipe."""


def wanted_of(
    source: object,
    recipe: RecipeLike | Sequence[RecipeLike],
    *,
    split: tuple[int | None, int | None, bool],
    tensor_types: Sequence[str],
    override_kv: Sequence[str],
    profile: object,
    out: object = None,
    name: str | None = None,
    imatrix: object = None,
    output_type: str | None = None,
    token_type: str | None = None,
    pure: bool = False,
    sampling_metadata: bool = True,
    repair: bool = True,
    stream: bool = False,
    lora: object = (),
    requantize: bool = False,
    revision: str | None = None,
    token: str | None = None,
) -> Wanted:
    """All of it as one value. UsageError names an argument that is none, and those that do not
    go together.
    """
    from qwq_gguf.quantization.planning.split import SplitRule

    size, tensors, bare = split
    check_texts(
        name=name,
        output_tensor_type=output_type,
        token_embedding_type=token_type,
        revision=revision,
        token=token,
    )
    check_flags(
        pure=pure,
        sampling_metadata=sampling_metadata,
        repair=repair,
        stream=stream,
        allow_requantize=requantize,
        no_tensor_first_split=bare,
    )
    check_numbers(split_max_size=size, split_max_tensors=tensors)
    if size is not None and tensors is not None:
        raise UsageError("split_max_size and split_max_tensors: name one of them")
    if bare and size is None and tensors is None:
        raise UsageError("no_tensor_first_split goes with split_max_size or split_max_tensors")
    rule = None
    if size is not None or tensors is not None:
        rule = SplitRule(max_bytes=size, max_tensors=tensors, bare_first=bare)
    return Wanted(
        name_of(source),
        None if out is None else name_of(out, "out"),
        _recipes(recipe),
        name=name,
        imatrix=None if imatrix is None else name_of(imatrix, "imatrix"),
        tensor_types=_texts(tensor_types, "tensor_types", '["ffn_down=Q6_K"]'),
        output_type=output_type,
        token_type=token_type,
        pure=pure,
        override_kv=_texts(override_kv, "override_kv", '["general.name=str:Mine"]'),
        profile=name_of(profile, "profile"),
        sampling_metadata=sampling_metadata,
        repair=repair,
        split=rule,
        stream=stream,
        requantize=requantize,
        revision=revision,
        token=token,
        adapters=names_of(lora, "lora"),
    )


def _recipes(given: object) -> tuple[str | Recipe, ...]:
    several = given if isinstance(given, list | tuple) else (given,)
    recipes = tuple(
        each if isinstance(each, Recipe) else name_of(each, "recipe") for each in several
    )
    if not recipes:
        raise UsageError("no recipe is named", hint="leave recipe out for Q4_K_M")
    return recipes


def _texts(given: object, what: str, example: str) -> tuple[str, ...]:
    if isinstance(given, list | tuple) and all(isinstance(each, str) for each in given):
        return tuple(given)
    raise UsageError(f"{what} is a list of texts", found=repr(given)[:60], hint=f"{what}={example}")
