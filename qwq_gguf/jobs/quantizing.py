"""Making GGUF files: everything decided from headers, then checked, fetched, run, recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from platform import machine
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import DiskSpaceError, OutputError
from qwq_gguf.jobs.events import (
    Activity,
    Interrupted,
    Meter,
    Progress,
    Quantized,
    Report,
    Said,
    Unfinished,
    activity,
)
from qwq_gguf.jobs.recording import Recording, named_file
from qwq_gguf.jobs.targets import DEFAULT_RECIPE, modelfile_beside, output_paths

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.hub.supply import HubSupply
    from qwq_gguf.ggml_types import GgmlType
    from qwq_gguf.jobs.source import Source
    from qwq_gguf.profiles import Profile
    from qwq_gguf.quantization.planning.importance import Imatrix
    from qwq_gguf.quantization.planning.mix import Overrides
    from qwq_gguf.quantization.planning.plan import Plan
    from qwq_gguf.quantization.planning.split import SplitRule
    from qwq_gguf.quantization.recipes.recipe import Recipe
    from qwq_gguf.quantization.running import run
    from qwq_gguf.quantization.running.target import Target
    from qwq_gguf.quantization.writing.outputs import Outputs
    from qwq_gguf.verification.manifest import Manifest

__all__ = ["How", "Job", "Made", "Planned", "Wanted", "make", "plan_models", "read_importance"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be made: all that changes a byte of it, as it is spelt by the user.

    `out` is a file, or its folder; unless given, the current one. `tensor_types` are
    `REGEX=TYPE`, `override_kv` are `KEY=TYPE:VALUE`. `stream`: from the Hub with a small disk.
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


@dataclass(frozen=True, slots=True)
class How:
    """What does not change a byte of the result. `max_memory` in bytes, for all of the process."""

    force: bool = False
    resume: bool = True
    threads: int | None = None
    max_memory: int | None = None
    kernels: str = "auto"
    manifest: bool = True
    modelfile: bool = True


@dataclass(frozen=True, slots=True)
class Made:
    """A model that was made: its files in order, and the manifest that has their digests."""

    job: Job
    summary: run.Summary
    manifest: Manifest | None


def plan_models(wanted: Wanted) -> Planned:
    """Decide all of it from headers. Errors say which word, file or tensor is at fault."""
    from qwq_gguf.conversion.overrides import parse_override
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
    extra = [parse_override(text) for text in wanted.override_kv]
    source = open_source(wanted.source, revision=wanted.revision, token=wanted.token)
    names = [recipe.name for recipe in recipes]
    paths = output_paths(wanted.out, wanted.name or source.name, names)
    if wanted.stream:
        source = source.streamed(paths[0])
    prepared = prepare(
        source.convert(name=wanted.name, extra=extra),
        sampling=wanted.sampling_metadata,
        repair=wanted.repair,
        keep=[entry.key for entry in extra],
        profile=profile,
    )
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


def read_importance(path: str | None) -> Imatrix | None:
    """The importance matrix in a file, None for none; ImatrixError says what is wrong."""
    if path is None:
        return None
    from qwq_gguf.quantization.planning.imatrix import read_imatrix

    return read_imatrix(path)


def _overrides(wanted: Wanted) -> Overrides:
    """RecipeError names a type or pattern that is none."""
    from qwq_gguf.quantization.planning.mix import Overrides, parse_override
    from qwq_gguf.quantization.recipes.language import parse_type

    def kind(text: str | None) -> GgmlType | None:
        return None if text is None else parse_type(text)

    return Overrides(
        tensor_types=tuple(map(parse_override, wanted.tensor_types)),
        output=kind(wanted.output_type),
        token_embedding=kind(wanted.token_type),
        pure=wanted.pure,
    )


def _profile(name: str) -> tuple[Profile | None, Any]:
    """The profile asked for, None for `auto`; and how a manifest tells of it.

    ProfileError when there is none.
    """
    from qwq_gguf.files import user_path
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


def make(planned: Planned, how: How, report: Report) -> tuple[Made, ...]:
    """Write the models and what lies beside them, in one reading of the weights."""
    from qwq_gguf.output_paths import refuse_sources
    from qwq_gguf.quantization.running.target import Target
    from qwq_gguf.quantization.writing.free_space import refuse_other_files

    source, jobs = planned.source, planned.jobs
    targets = [Target(job.plan, job.path, about=_about(job, planned, how)) for job in jobs]
    paths = [path for target in targets for path in target.paths]
    refuse_sources(paths, [*source.files(), *planned.inputs])
    refuse_other_files(paths)
    _open_files(len(paths), len(source.shards))
    supply = source.supply(report)
    with (
        supply or nullcontext(),
        _opened(targets, source.identity, how, report) as outputs,
    ):
        fetched = {}
        if supply is None:
            try:
                fetched = source.bring(report)
            except DiskSpaceError as problem:
                source.hint_stream(problem)
                raise
        else:
            sizes = [part.file_bytes for target in outputs.targets for part in target.plan.parts]
            source.check_room(sum(sizes), outputs.present_bytes)

        def passed(shard: Path) -> tuple[str, int] | None:
            if supply is not None:
                return supply.passed(shard)
            came = fetched.get(shard)
            return None if came is None else (came.sha256, came.nbytes)

        with Recording(
            source, report=report, wanted=how.manifest, models=len(jobs), passed=passed
        ) as recording:
            made = _fill(outputs, supply, planned, recording, how, report)
        if how.modelfile:
            from qwq_gguf.jobs.modelfiles import write_beside

            for job in jobs:
                target = modelfile_beside(job.path)
                write_beside(job.files, target, report, force=how.force, profile=planned.profile)
        if supply is None:
            _sweep_stream(jobs[0].path)
    return made


def _about(job: Job, planned: Planned, how: How) -> dict[str, Any]:
    """What else the file is made of, so that none is gone on with that differs."""
    options = planned.options
    about: dict[str, Any] = {
        "recipe": {"text": f"sha256 {sha256(job.recipe.text.encode()).hexdigest()[:16]}"},
        "options": options,
    }
    if machine().lower() not in ("x86_64", "amd64"):  # there, all give the same bytes
        about["options"] = {**options, "kernels": how.kernels}
    return about


@contextmanager
def _opened(
    targets: Sequence[Target], identity: Callable[[Path], str], how: How, report: Report
) -> Iterator[Outputs]:
    """The files to make, open as long as the context lasts; at its end they are finished."""
    from qwq_gguf.quantization.writing.outputs import Outputs

    outputs = Outputs(
        targets,
        force=how.force,
        resume=how.resume,
        identity=identity,
        checking=Meter(report, Activity.CHECKING).at,
    )
    with _telling_what_is_kept(outputs, report), ExitStack() as stack:
        with activity(report, Activity.CHECKING, "checking what is there"):
            stack.enter_context(outputs)
        for line in outputs.notes:
            report(Said(line))
        yield outputs
        outputs.finish()


@contextmanager
def _telling_what_is_kept(outputs: Outputs, report: Report) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            report(Interrupted())
        for path, share in outputs.kept:
            report(Unfinished(path, share))
        raise


def _fill(
    outputs: Outputs,
    supply: HubSupply | None,
    planned: Planned,
    recording: Recording,
    how: How,
    report: Report,
) -> tuple[Made, ...]:
    """Make what is missing of the weights; and the manifests."""
    from qwq_gguf.quantization.running import run

    jobs = planned.jobs
    followers = [recording.follow(job.plan) for job in jobs]
    targets = [
        replace(target, follow=follow)
        for target, follow in zip(outputs.targets, followers, strict=True)
    ]

    def update(progress: run.Progress) -> None:
        recording.check()
        done, total = progress.done_weights, progress.total_weights
        report(Progress(Activity.QUANTIZING, done, total, progress.tensor))

    with activity(report, Activity.QUANTIZING, _title(jobs)):
        summaries = run.run_plans(
            targets,
            outputs=outputs,
            threads=how.threads,
            max_memory=how.max_memory,
            progress=update,
            kernels=how.kernels,
            supply=supply,
            approve=recording.settle,
        )
    report(Quantized(tuple(job.plan for job in jobs), summaries))
    return tuple(
        Made(job, summary, recording.write(job.files, followed, job.recipe, planned.options))
        for job, summary, followed in zip(jobs, summaries, followers, strict=True)
    )


def _open_files(outputs: int, shards: int) -> None:
    """Room for all of them to be open at once; a limit of 256 or 1024 is usual."""
    from qwq_gguf.machine import allow_open_files

    needed = 2 * outputs + shards + 100  # each is written, and followed for the manifest
    allowed = allow_open_files(needed)
    if allowed is not None:
        raise OutputError(
            f"{outputs} files cannot be written side by side",
            found=f"{allowed} open files allowed",
            expected=f"{needed}",
            hint=f"ulimit -n {needed}, or fewer, larger files",
        )


def _sweep_stream(target: Path) -> None:
    """Remove what a stream that was ended has left for `target`, which is here now without it."""
    from qwq_gguf.checkpoint.hub.stream import clear, remove_empty, stream_folder

    folder = stream_folder(target)
    if folder.is_dir() and not folder.is_symlink():
        clear(folder)
        remove_empty(folder)


def _title(jobs: Sequence[Job]) -> str:
    if len(jobs) == 1:
        return f"{jobs[0].plan.recipe} {jobs[0].path.name}"
    return " ".join(job.plan.recipe for job in jobs)
