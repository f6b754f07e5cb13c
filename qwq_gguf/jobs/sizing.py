"""What is known of a model by its headers: its shape, and what each recipe makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.machine.choosing import Candidate
from qwq_gguf.machine.kv_cache import ModelHeader
from qwq_gguf.machine.model_size import ModelShape, WeightBytes

if TYPE_CHECKING:
    from qwq_gguf.gguf_file import GgufFile
    from qwq_gguf.jobs.source import Source
    from qwq_gguf.metadata import KeyValue

__all__ = ["PlanHeader", "Sized", "candidate_of", "sized", "to_download"]


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
    """A checkpoint with every recipe that needs no importance matrix, or a GGUF as it is."""
    from qwq_gguf.checkpoint import names_gguf
    from qwq_gguf.jobs.demo import DEMO
    from qwq_gguf.jobs.source import open_source

    if source != DEMO and names_gguf(source, token=token):
        opened = open_source(source, revision=revision, token=token)
        return _sized_gguf(opened)
    from qwq_gguf.jobs.planning import Wanted as ToMake
    from qwq_gguf.jobs.planning import plan_models
    from qwq_gguf.quantization.recipes.shipped import load_recipe, recipe_names

    known = [recipe for recipe in map(load_recipe, recipe_names()) if not recipe.needs_imatrix]
    planned = plan_models(
        ToMake(source, recipes=tuple(known), revision=revision, token=token, stream=False)
    )
    first = planned.jobs[0].plan
    header = PlanHeader(
        Path(first.name), first.architecture, {entry.key: entry for entry in first.metadata}
    )
    shape = ModelShape.of(header)
    candidates = []
    for job in planned.jobs if shape is not None else ():
        assert shape is not None
        if job.recipe.base is GgmlType.MXFP4 and all(
            tensor.type is not GgmlType.MXFP4 for tensor in job.plan.tensors
        ):
            continue  # a recipe for experts, of which this model has none: Q8_0 by another name
        sizes = ((tensor.name, tensor.nbytes) for tensor in job.plan.tensors)
        weights = WeightBytes.of(sizes, shape)
        file = Candidate(job.recipe.name, job.plan.file_bytes, job.plan.weights, weights)
        candidates.append(file)
    return Sized(
        planned.source.name,
        header,
        tuple(sorted(candidates, key=lambda each: each.weights.total)),
        made=False,
        downloads=to_download(planned.source),
    )


def _sized_gguf(source: Source) -> Sized:
    from qwq_gguf.jobs.source import GgufSource

    assert isinstance(source, GgufSource)
    whole = source.model.whole
    shape = ModelShape.of(whole)
    candidates = () if shape is None else (candidate_of(whole, shape),)
    return Sized(source.name, whole, candidates, made=True, downloads=to_download(source))


def candidate_of(gguf: GgufFile, shape: ModelShape) -> Candidate:
    """A GGUF that is there, all its parts as one."""
    from math import prod

    from qwq_gguf.gguf_file.summary import file_type_name

    weights = WeightBytes.of(((each.name, each.nbytes) for each in gguf.tensors), shape)
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
