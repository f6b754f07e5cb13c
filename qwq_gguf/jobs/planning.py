"""Deciding what GGUF files will be made, from headers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.jobs.events import Report, silent
from qwq_gguf.jobs.fetching import asking
from qwq_gguf.jobs.manifest_writing import named_adapters, named_file
from qwq_gguf.jobs.output_paths import DEFAULT_RECIPE, output_paths

if TYPE_CHECKING:
    from qwq_gguf.ggml_types import GgmlType
    from qwq_gguf.jobs.source import Source
    from qwq_gguf.metadata import KeyValue
    from qwq_gguf.profiles import Profile
    from qwq_gguf.quantization.planning.importance import Imatrix
    from qwq_gguf.quantization.planning.mix import Overrides
    from qwq_gguf.quantization.planning.plan import Plan
    from qwq_gguf.quantization.planning.split import SplitRule
    from qwq_gguf.quantization.recipes.recipe import Recipe

_TYPES = ("int", "float", "bool", "str")

__all__ = ["Job", "Planned", "Wanted", "plan_models", "read_importance"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be made: all that changes a byte of it, as it is spelt by the user.

    `out` is a file, or its folder; unless given, the current one. `tensor_types` are
    `REGEX=TYPE`, `override_kv` are `KEY=VALUE` or `KEY=TYPE:VALUE`. `stream`: from the Hub with
    a small disk. `adapters`: folders of LoRA adapters, which are merged in this order.
    """

    source: str
    out: str | None = None
    recipes: tuple[str | Recipe, ...] = (DEFAULT_RECIPE,)
    name: str | None = None
    override_kv: tuple[str, ...] = ()
    tensor_types: tuple[str, ...] = ()
    output_type: str | None = None
    token_type: str | None = None
    pure: bool = False
    imatrix: str | None = None
    profile: str = "auto"
    sampling_metadata: bool = True
    repair: bool = True
    split: SplitRule | None = None
    requantize: bool = False
    stream: bool = False
    revision: str | None = None
    token: str | None = None
    adapters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """A model to make at `path`, or beside it in the parts of its plan."""

    recipe: Recipe
    plan: Plan
    path: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The GGUF files, in order."""
        from qwq_gguf.quantization.running.target import Target

        return Target(self.plan, self.path).paths


@dataclass(frozen=True, slots=True)
class Planned:
    """What will be made, and from what; nothing is fetched or written yet.

    `changes` are sentences about keys that the files say otherwise than their source, `notes`
    about what was found, `warnings` about what may make the result worse. `options` are those
    that change bytes, for the manifests; `inputs` the files that they name. `profile`: whose
    the Modelfile is, None for the one that the file carries.
    """

    source: Source
    jobs: tuple[Job, ...]
    options: Mapping[str, Any]
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    profile: Profile | None = None
    inputs: tuple[Path, ...] = ()
    stream: bool = False


def plan_models(wanted: Wanted, report: Report = silent) -> Planned:
    """Decide all of it from headers. Errors say which word, file or tensor is at fault.

    `report` hears that the Hub is asked.
    """
    from qwq_gguf.jobs.source import open_source
    from qwq_gguf.preparation import prepare
    from qwq_gguf.quantization.planning.plan import make_plan
    from qwq_gguf.quantization.planning.requantize import check_requantizing
    from qwq_gguf.quantization.planning.split import split_plan
    from qwq_gguf.quantization.recipes.shipped import load_recipe

    named = [each for each in wanted.recipes if isinstance(each, str)]
    recipes = [load_recipe(each) if isinstance(each, str) else each for each in wanted.recipes]
    importance = read_importance(wanted.imatrix)
    profile, profile_option = _profile(wanted.profile)
    asked = _overrides(wanted)
    with asking(report, wanted.source):
        source = open_source(wanted.source, wanted.revision, wanted.token, wanted.adapters)
    extra = _entries(source, wanted.override_kv)
    names = [recipe.name for recipe in recipes]
    paths = output_paths(wanted.out, wanted.name or source.result, names)
    if wanted.stream:
        source = source.streamed(paths[0])
    prepared = prepare(
        source.convert(name=wanted.name, extra=extra),
        sampling=wanted.sampling_metadata,
        repair=wanted.repair,
        keep=[entry.key for entry in extra],
        profile=profile,
    )
    source = source.reading(prepared.conversion)
    plans = [
        make_plan(prepared.conversion, recipe, asked, imatrix=importance) for recipe in recipes
    ]
    again = [check_requantizing(plan, allowed=wanted.requantize) for plan in plans]
    if wanted.split is not None:
        plans = [split_plan(plan, wanted.split) for plan in plans]
    options = {
        "tensor_type": list(wanted.tensor_types),
        "output_tensor_type": wanted.output_type,
        "token_embedding_type": wanted.token_type,
        "imatrix": named_file(wanted.imatrix),
        "pure": wanted.pure,
        "name": wanted.name,
        "override_kv": list(wanted.override_kv),
        "profile": profile_option,
        "sampling_metadata": wanted.sampling_metadata,
        "repair": wanted.repair,
        "split": None if wanted.split is None else asdict(wanted.split),
    }
    if wanted.adapters:
        options["lora"] = named_adapters(wanted.adapters)
    words = (wanted.imatrix, wanted.profile, *named)
    return Planned(
        source,
        tuple(Job(*job) for job in zip(recipes, plans, paths, strict=True)),
        options,
        changes=tuple(prepared.changes),
        notes=tuple(prepared.notes),
        warnings=(*dict.fromkeys(line for line in again if line), *_warnings(plans)),
        profile=profile,
        inputs=tuple(Path(word) for word in words if word),
        stream=wanted.stream,
    )


def _entries(source: Source, texts: Sequence[str]) -> list[KeyValue]:
    """The keys that `KEY=TYPE:VALUE` or, of a key that is known, `KEY=VALUE` set. ConfigError."""
    if not texts:
        return []
    from qwq_gguf.conversion.overrides import parse_override
    from qwq_gguf.editing.change import parse_kv

    typed = [text.partition("=")[2].partition(":")[0] in _TYPES for text in texts]
    if all(typed):
        return [parse_override(text) for text in texts]
    present = {entry.key: entry for entry in source.convert().metadata}
    return [
        parse_override(text) if has_type else parse_kv(text, present)
        for text, has_type in zip(texts, typed, strict=True)
    ]


def read_importance(path: str | None) -> Imatrix | None:
    """The importance matrix in a file, None for none; ImatrixError says what is wrong."""
    if path is None:
        return None
    from qwq_gguf.quantization.planning.imatrix import read_imatrix

    return read_imatrix(path)


def _overrides(wanted: Wanted) -> Overrides:
    """RecipeError names a type or pattern that is none."""
    from qwq_gguf.quantization.planning.mix import Overrides, parse_tensor_type
    from qwq_gguf.quantization.recipes.language import parse_type

    def kind(text: str | None) -> GgmlType | None:
        return None if text is None else parse_type(text)

    return Overrides(
        tensor_types=tuple(map(parse_tensor_type, wanted.tensor_types)),
        output=kind(wanted.output_type),
        token_embedding=kind(wanted.token_type),
        pure=wanted.pure,
    )


def _profile(name: str) -> tuple[Profile | None, Any]:
    """The profile asked for, None for `auto`; and how a manifest tells of it.

    ProfileError when there is none.
    """
    from qwq_gguf.files.reading import user_path
    from qwq_gguf.profiles import AUTO, load_profile, profile_names

    if name == AUTO:
        return None, AUTO
    profile = load_profile(name)
    shipped = name.lower() in profile_names()
    return profile, profile.name if shipped else named_file(str(user_path(name)))


def _warnings(plans: Sequence[Plan]) -> list[str]:
    """What the plans warn of; what only some of them do has their names in front."""
    said: dict[str, list[str]] = {}
    for plan in plans:
        for line in plan.warnings:
            said.setdefault(line, []).append(plan.recipe)
    return [
        line if len(recipes) == len(plans) else f"{', '.join(recipes)}: {line}"
        for line, recipes in said.items()
    ]
