"""What a model is by its headers alone: its shape, and how large each recipe makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import PlanError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.jobs.events import Report, silent
from qwq_gguf.jobs.fetching import asking
from qwq_gguf.machine.choosing import Candidate
from qwq_gguf.machine.kv_cache import ModelHeader
from qwq_gguf.machine.model_size import ModelShape, TensorSize, WeightBytes

if TYPE_CHECKING:
    from qwq_gguf.gguf_file import GgufFile
    from qwq_gguf.jobs.source import GgufSource, Source
    from qwq_gguf.metadata import KeyValue
    from qwq_gguf.quantization.planning.plan import Plan
    from qwq_gguf.quantization.recipes.recipe import Recipe

__all__ = [
    "PlanHeader",
    "Size",
    "Sized",
    "Sizes",
    "candidate_of",
    "sized",
    "sizes_of",
    "to_download",
]


_AS_PUBLISHED = "MXFP4_MOE"


@dataclass(frozen=True, slots=True)
class Size:
    """A recipe, and what it makes of a model; no plan where it cannot be applied, and `why`.
    `again`: it would quantize weights a second time, which has to be allowed.
    """

    recipe: Recipe
    plan: Plan | None = None
    why: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class Sizes:
    """A model, and its size by each recipe, in their order."""

    source: Source
    sizes: tuple[Size, ...]

    @property
    def plans(self) -> tuple[tuple[Recipe, Plan], ...]:
        """Those that can be applied."""
        return tuple((size.recipe, size.plan) for size in self.sizes if size.plan is not None)

    @property
    def weights(self) -> int:
        """How many the model has; 0 where no recipe can be applied."""
        return self.plans[0][1].weights if self.plans else 0

    def to_json(self) -> dict[str, Any]:
        """All of it as one object."""
        return {
            "schema": "qwq-gguf/recipe-sizes/1",
            "model": self.source.name,
            "weights": self.weights,
            "recipes": [
                {
                    "name": size.recipe.name,
                    "file_bytes": None if size.plan is None else size.plan.file_bytes,
                    "bits_per_weight": None if size.plan is None else size.plan.bits_per_weight,
                    "needs_imatrix": size.recipe.needs_imatrix,
                    "about": size.recipe.about,
                    "why": size.why or None,
                    "requantizes": size.again,
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
    from qwq_gguf.quantization.planning.requantize import quantizes_again
    from qwq_gguf.quantization.recipes.shipped import load_recipe, recipe_names

    with asking(report, source):
        opened = open_source(source, revision=revision, token=token)
    conversion = prepare(opened.convert()).conversion
    sizes = []
    for recipe in map(load_recipe, recipe_names()):
        try:
            plan = make_plan(conversion, recipe)
            sizes.append(Size(recipe, plan, again=quantizes_again(plan)))
        except PlanError as error:
            needs = "needs an importance matrix" if recipe.needs_imatrix else error.message
            sizes.append(Size(recipe, why=needs))
    return Sizes(opened, tuple(sizes))


@dataclass(frozen=True, slots=True)
class Sized:
    """A model: `made` if it is a GGUF already; `downloads` are bytes of it that are not here."""

    name: str
    header: ModelHeader
    candidates: tuple[Candidate, ...]
    made: bool
    downloads: int = 0


@dataclass(frozen=True, slots=True)
class PlanHeader:
    """The header of a GGUF that is only planned."""

    path: Path
    architecture: str | None
    metadata: Mapping[str, KeyValue]

    def integer(self, key: str) -> int | None:
        entry = self.metadata.get(key)
        value = None if entry is None or entry.element is not None else entry.scalar
        return value if isinstance(value, int) and not isinstance(value, bool) else None


def sized(source: str, revision: str | None, token: str | None) -> Sized:
    """A checkpoint with every recipe that makes it without being told more, or a GGUF as it is."""
    from qwq_gguf.checkpoint import holds_gguf
    from qwq_gguf.jobs.source import open_gguf

    if holds_gguf(source, revision=revision, token=token):
        return _sized_gguf(open_gguf(source, revision, token))
    made = sizes_of(source, revision=revision, token=token)
    plans = [
        (size.recipe, size.plan)
        for size in made.sizes
        if size.plan is not None and not size.recipe.needs_imatrix and not size.again
    ]
    if not plans:
        raise PlanError("no recipe can be applied to this model", path=Path(source))
    first = plans[0][1]
    header = PlanHeader(
        Path(first.name), first.architecture, {entry.key: entry for entry in first.metadata}
    )
    shape = ModelShape.of(header)
    candidates: list[Candidate] = []
    for recipe, plan in plans if shape is not None else ():
        assert shape is not None
        if recipe.base is GgmlType.MXFP4 and not _keeps_mxfp4(plan):
            continue  # a recipe for experts, of which this model has none: Q8_0 by another name
        weights = WeightBytes.of(map(TensorSize.of, plan.tensors), shape)
        candidates.append(Candidate(recipe.name, plan.file_bytes, plan.weights, weights))
    if any(recipe.base is GgmlType.BF16 and _keeps_mxfp4(plan) for recipe, plan in plans):
        candidates = _beside_mxfp4(candidates)
    return Sized(
        made.source.name,
        header,
        tuple(sorted(candidates, key=lambda each: each.weights.total)),
        made=False,
        downloads=to_download(made.source),
    )


def _keeps_mxfp4(plan: Plan) -> bool:
    """Whether a part of the model is in MXFP4 in this file."""
    return any(tensor.type is GgmlType.MXFP4 for tensor in plan.tensors)


def _beside_mxfp4(candidates: list[Candidate]) -> list[Candidate]:
    """Of a model whose experts come in MXFP4 (gpt-oss), the recipe of that name loses nothing of
    them: more bits hold no more.
    """
    best = next((each for each in candidates if each.recipe == _AS_PUBLISHED), None)
    if best is None:
        return candidates
    return [
        replace(each, surpassed=each is not best and each.weights.total >= best.weights.total)
        for each in candidates
    ]


def _sized_gguf(source: GgufSource) -> Sized:
    whole = source.model.whole
    shape = ModelShape.of(whole)
    candidates = () if shape is None else (candidate_of(whole, shape),)
    return Sized(source.name, whole, candidates, made=True, downloads=to_download(source))


def candidate_of(gguf: GgufFile, shape: ModelShape) -> Candidate:
    """A GGUF that is there, all its parts as one."""
    from math import prod

    from qwq_gguf.gguf_file.summary import file_type_name

    weights = WeightBytes.of(map(TensorSize.of, gguf.tensors), shape)
    parameters = sum(prod(each.shape) for each in gguf.tensors)
    return Candidate(file_type_name(gguf) or "as it is", gguf.file_bytes, parameters, weights)


def to_download(source: Source) -> int:
    """Bytes of weights that are on the Hub and not here."""
    hub = source.hub
    if hub is None:
        return 0
    missing = [path for path in source.shards if not hub.is_here(hub.name_of(path))]
    files = map(hub.file_at, missing)
    return sum(file.size or 0 for file in files if file is not None)
