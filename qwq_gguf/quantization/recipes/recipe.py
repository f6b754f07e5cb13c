"""A recipe: an ordered set of rules that says which type each tensor gets.

The first rule that fits a tensor decides; what no rule names gets the base type. The
rules are data, in quant_recipes/*.toml; language.py describes their language.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from qwq_gguf.ggml_types import FileType, GgmlType
from qwq_gguf.patterns.name_pattern import NamePattern

__all__ = ["KINDS", "TARGET_TYPES", "Condition", "LayerRange", "Recipe", "Rule"]

KINDS = (
    "output",
    "token_embd",
    "attn_q",
    "attn_k",
    "attn_v",
    "attn_output",
    "ffn_gate",
    "ffn_up",
    "ffn_down",
    "other",
)
"""What a matrix is for. `attn_v` includes fused projections that hold the values."""

TARGET_TYPES = (
    GgmlType.F32,
    GgmlType.F16,
    GgmlType.BF16,
    GgmlType.Q8_0,
    GgmlType.Q6_K,
    GgmlType.Q5_K,
    GgmlType.Q5_1,
    GgmlType.Q5_0,
    GgmlType.Q4_K,
    GgmlType.MXFP4,
    GgmlType.Q4_1,
    GgmlType.Q4_0,
    GgmlType.Q3_K,
    GgmlType.Q2_K,
    GgmlType.IQ4_NL,
    GgmlType.IQ4_XS,
    GgmlType.IQ3_S,
    GgmlType.IQ3_XXS,
    GgmlType.IQ2_S,
    GgmlType.IQ2_XS,
    GgmlType.IQ2_XXS,
    GgmlType.IQ1_M,
    GgmlType.IQ1_S,
    GgmlType.TQ2_0,
    GgmlType.TQ1_0,
)
"""The types a tensor may be given."""


@dataclass(frozen=True, slots=True)
class LayerRange:
    """Layers from `start` up to, not including, `stop`; of those every n-th.

    A bound is a layer number or a fraction (a, b), which for n layers means n * a // b. With
    `one_by_one` the tensors of the kind are counted instead, of which a layer may have several.
    """

    start: int | tuple[int, int] = 0
    stop: int | tuple[int, int] = (1, 1)
    every: int = 1
    skip: int = 0
    one_by_one: bool = False

    def has(self, layer: int, count: int) -> bool:
        """Whether layer `layer` of `count` is in the range."""
        start, stop = _bound(self.start, count), _bound(self.stop, count)
        return start <= layer < stop and (layer - start) % self.every == self.skip


def _bound(bound: int | tuple[int, int], count: int) -> int:
    return bound if isinstance(bound, int) else count * bound[0] // bound[1]


@dataclass(frozen=True, slots=True)
class Condition:
    """Facts that must all hold; None leaves a fact open."""

    imatrix: bool | None = None
    tied: bool | None = None
    architecture: str | None = None
    layer_count: int | None = None
    gqa_at_least: int | None = None
    experts: int | None = None
    experts_at_least: int | None = None
    row_multiple_of: int | None = None
    stacked: bool | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Tensors of these kinds (or names), in these layers, under any of these conditions."""

    type: GgmlType
    kinds: tuple[str, ...] = ()
    names: NamePattern | None = None
    layers: tuple[LayerRange, ...] = ()
    when: tuple[Condition, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A mix by name.

    `bits` is the bits a weight it comes to at QwQ-32B's shape, for people to compare
    by; None for a user's own. `text` is the TOML the recipe came from.
    """

    name: str
    base: GgmlType
    file_type: FileType
    about: str = ""
    bits: float | None = None
    rules: tuple[Rule, ...] = ()
    text: str = field(default="", repr=False, compare=False)

    @property
    def needs_imatrix(self) -> bool:
        """Whether some tensor gets a type that cannot be made without an imatrix."""
        rules = [rule for rule in self.rules if not _has_imatrix(rule)]
        if any(rule.type in IMPOSSIBLE_WITHOUT_IMATRIX for rule in rules):
            return True
        layer_types = {self.base} | {rule.type for rule in rules if _is_for_layers(rule)}
        return any(useless_without_imatrix(kind, self.file_type) for kind in layer_types)


def _has_imatrix(rule: Rule) -> bool:
    """Whether a rule is for when there is one."""
    return bool(rule.when) and all(condition.imatrix is True for condition in rule.when)


def _is_for_layers(rule: Rule) -> bool:
    """Whether a rule is for matrices of layers, and not for those outside alone.

    A pattern may say of which layers, so one that names neither of those outside is.
    """
    if rule.names is None:
        return bool(set(rule.kinds) - set(_OUTSIDE))
    outside = any(rule.names.search(f"{kind}.weight") for kind in _OUTSIDE)
    layer = [f"blk.0.{kind}.weight" for kind in KINDS if kind not in _OUTSIDE]
    inside = any(map(rule.names.search, layer))
    return inside or not outside or bool(set(rule.kinds) - set(_OUTSIDE))


_OUTSIDE = ("output", "token_embd")
IMPOSSIBLE_WITHOUT_IMATRIX = frozenset({GgmlType.IQ2_XXS, GgmlType.IQ2_XS, GgmlType.IQ1_S})
"""Types whose quantizers in ggml end the process when there are no weights."""


_ONLY_WITH_IMATRIX = frozenset(
    {
        GgmlType.IQ3_XXS,
        GgmlType.IQ2_S,
        GgmlType.IQ2_XS,
        GgmlType.IQ2_XXS,
        GgmlType.IQ1_M,
        GgmlType.IQ1_S,
    }
)


def useless_without_imatrix(kind: GgmlType, file_type: FileType) -> bool:
    """Whether llama.cpp refuses this type for a layer's matrix without an imatrix.

    Below three bits there is too little room to spend any on weights that do not matter.
    Q2_K is refused only in the mix that has nothing better beside it.
    """
    return kind in _ONLY_WITH_IMATRIX or (kind is GgmlType.Q2_K and file_type is FileType.Q2_K_S)
