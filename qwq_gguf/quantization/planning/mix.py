"""Rules applied to a model: which type each tensor gets, and why.

The order of decisions is llama.cpp's (src/llama-quant.cpp): tensors that are never
quantized; the type asked for the token embedding, then for the output; a type asked for
by name; the recipe's rules; and last a type whose blocks fit the tensor's rows. Unlike
there, a type asked for by name leaves the position of every other tensor as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from qwq_gguf.errors import RecipeError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.patterns.name_pattern import NamePattern, PatternError
from qwq_gguf.quantization.planning.tensor_kinds import Tensor, kind_of, never_quantized
from qwq_gguf.quantization.recipes.language import parse_type
from qwq_gguf.quantization.recipes.recipe import Condition, Recipe, Rule

__all__ = ["Choice", "Facts", "Overrides", "choose_types", "parse_tensor_type"]


class Facts(Protocol):
    """What a condition may ask of the model. `experts` is 0 for a dense one."""

    @property
    def architecture(self) -> str: ...
    @property
    def layers(self) -> int: ...
    @property
    def heads(self) -> int: ...
    @property
    def kv_heads(self) -> int: ...
    @property
    def experts(self) -> int: ...
    @property
    def tied(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a user asks for on top of a recipe.

    `tensor_types` are patterns searched for in the tensor's name, the first match wins.
    `pure` gives every matrix the base type.
    """

    tensor_types: tuple[tuple[NamePattern, GgmlType], ...] = ()
    output: GgmlType | None = None
    token_embedding: GgmlType | None = None
    pure: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A tensor's type and the reason for it."""

    type: GgmlType
    why: str


def parse_tensor_type(text: str) -> tuple[NamePattern, GgmlType]:
    """`REGEX=TYPE` as a pattern and a type; RecipeError for anything else."""
    pattern, equals, kind = text.rpartition("=")
    if not equals or not pattern:
        raise RecipeError(
            "not a tensor and its type", found=text, expected="REGEX=TYPE, such as 'ffn_down=Q6_K'"
        )
    try:
        return NamePattern(pattern), parse_type(kind)
    except PatternError as error:
        raise RecipeError(
            f"not a regular expression for names: {error}", found=pattern[:200]
        ) from error


def choose_types(
    tensors: Sequence[Tensor],
    facts: Facts,
    recipe: Recipe,
    overrides: Overrides | None = None,
    *,
    imatrix: bool = False,
) -> list[Choice]:
    """The type of each tensor, in the order given. `imatrix`: importance data will be used."""
    asked = overrides or Overrides()
    places = _places(tensors, facts)
    return [
        _choose(tensor, place, facts, recipe, asked, imatrix)
        for tensor, place in zip(tensors, places, strict=True)
    ]


class _Place(NamedTuple):
    """Where a tensor stands among others of its kind: its `rank` of so many `layers`, and how
    many of the kind were quantized before it.
    """

    rank: int = 0
    layers: int = 1
    tensor: int = 0


_MLP = ("ffn_up", "ffn_gate", "ffn_down")


def _places(tensors: Sequence[Tensor], facts: Facts) -> list[_Place]:
    """As llama.cpp counts: values of attention among themselves, the parts of an MLP among the
    layers of the model, by the layer's number where there are experts. All other kinds, of
    which it asks no place, by the rank of their layer among those that have the kind.
    """
    kinds = [kind_of(tensor.name) for tensor in tensors]
    layers: dict[str, set[int]] = {}
    for kind, tensor in zip(kinds, tensors, strict=True):
        if tensor.layer is not None:
            layers.setdefault(kind, set()).add(tensor.layer)
    ranks = {
        kind: {layer: rank for rank, layer in enumerate(sorted(found))}
        for kind, found in layers.items()
    }
    values = kinds.count("attn_v")
    places = []
    counted: dict[str, int] = {}
    for kind, tensor in zip(kinds, tensors, strict=True):
        before = counted.get(kind, 0)
        if kind == "attn_v":
            places.append(_Place(before, values, before))
        elif kind in _MLP:
            number = tensor.layer or 0 if facts.experts > 1 else before
            places.append(_Place(number, facts.layers, before))
        elif tensor.layer is None:
            places.append(_Place())
        else:
            places.append(_Place(ranks[kind][tensor.layer], len(ranks[kind]), before))
        counted[kind] = before + (not never_quantized(tensor))
    return places


def _choose(
    tensor: Tensor,
    place: _Place,
    facts: Facts,
    recipe: Recipe,
    asked: Overrides,
    imatrix: bool,
) -> Choice:
    if never_quantized(tensor):
        return Choice(tensor.kept, "vectors, norms and routers stay exact")
    return _fitting(tensor, _wanted(tensor, place, facts, recipe, asked, imatrix))


def _wanted(
    tensor: Tensor,
    place: _Place,
    facts: Facts,
    recipe: Recipe,
    asked: Overrides,
    imatrix: bool,
) -> Choice:
    kind = kind_of(tensor.name)
    if asked.token_embedding is not None and kind == "token_embd":
        return Choice(asked.token_embedding, "asked for the token embedding")
    if asked.output is not None and kind == "output":
        return Choice(asked.output, "asked for the output")
    for pattern, wanted in asked.tensor_types:
        if pattern.search(tensor.name):
            return Choice(wanted, f"asked for {pattern.pattern}")
    if asked.pure:
        return Choice(recipe.base, "every matrix alike")
    if asked.output is not None and kind == "token_embd" and facts.tied:
        return Choice(asked.output, "asked for the output, which is the embedding here")
    for rule in recipe.rules:
        if _applies(rule, tensor, kind, place, facts.layers) and _holds(
            rule, tensor, facts, imatrix
        ):
            return Choice(rule.type, rule.why or f"{recipe.name}'s rule for {kind}")
    return Choice(recipe.base, f"{recipe.name}'s base type")


def _applies(rule: Rule, tensor: Tensor, kind: str, place: _Place, layers: int) -> bool:
    named = rule.names is not None and rule.names.search(tensor.name)
    if not named and kind not in rule.kinds:
        return False
    return not rule.layers or any(
        span.has(place.tensor, layers) if span.one_by_one else span.has(place.rank, place.layers)
        for span in rule.layers
    )


def _holds(rule: Rule, tensor: Tensor, facts: Facts, imatrix: bool) -> bool:
    return not rule.when or any(_true(when, tensor, facts, imatrix) for when in rule.when)


def _true(when: Condition, tensor: Tensor, facts: Facts, imatrix: bool) -> bool:
    gqa = facts.heads // facts.kv_heads if facts.kv_heads else 0
    return (
        when.imatrix in (None, imatrix)
        and when.tied in (None, facts.tied)
        and when.architecture in (None, facts.architecture)
        and when.layer_count in (None, facts.layers)
        and (when.gqa_at_least is None or gqa >= when.gqa_at_least)
        and when.experts in (None, facts.experts)
        and (when.experts_at_least is None or facts.experts >= when.experts_at_least)
        and when.stacked in (None, len(tensor.shape) > 2)
        and (when.row_multiple_of is None or tensor.shape[0] % when.row_multiple_of == 0)
    )


# What llama.cpp takes instead when a row is no whole number of 256-weight blocks: the
# smallest 32-weight type that is no worse.
_SMALLER_BLOCKS = {
    GgmlType.Q2_K: GgmlType.Q4_0,
    GgmlType.Q3_K: GgmlType.Q4_0,
    GgmlType.Q4_K: GgmlType.Q5_0,
    GgmlType.Q5_K: GgmlType.Q5_1,
    GgmlType.Q6_K: GgmlType.Q8_0,
    GgmlType.IQ1_S: GgmlType.IQ4_NL,
    GgmlType.IQ1_M: GgmlType.IQ4_NL,
    GgmlType.IQ2_XXS: GgmlType.IQ4_NL,
    GgmlType.IQ2_XS: GgmlType.IQ4_NL,
    GgmlType.IQ2_S: GgmlType.IQ4_NL,
    GgmlType.IQ3_XXS: GgmlType.IQ4_NL,
    GgmlType.IQ3_S: GgmlType.IQ4_NL,
    GgmlType.IQ4_XS: GgmlType.IQ4_NL,
    GgmlType.TQ1_0: GgmlType.Q4_0,
    GgmlType.TQ2_0: GgmlType.Q4_0,
}


def _fitting(tensor: Tensor, wanted: Choice) -> Choice:
    row = tensor.shape[0]
    if wanted.type.fits(row):
        return wanted
    smaller = _SMALLER_BLOCKS.get(wanted.type, wanted.type)
    if not smaller.fits(row):
        smaller = GgmlType.F16
    return Choice(
        smaller,
        f"{wanted.type.name} needs rows in multiples of {wanted.type.block_size}, not {row}",
    )
