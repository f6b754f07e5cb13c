"""What `quantize` does once everything is decided: check, fetch, run, record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from platform import machine
from typing import TYPE_CHECKING, Any

from qwq_gguf.cli.quantize_show import show_summaries
from qwq_gguf.cli.recording import Recording
from qwq_gguf.cli.resuming import opened_outputs
from qwq_gguf.cli.stream_flags import (
    bring_whole,
    check_stream_room,
    shard_supply,
    sweep_stream,
)
from qwq_gguf.cli.target import modelfile_beside
from qwq_gguf.errors import OutputError

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.hub.supply import HubSupply
    from qwq_gguf.cli.progress import StreamBar
    from qwq_gguf.cli.quantize_flags import KernelChoice
    from qwq_gguf.cli.quantize_source import Opened
    from qwq_gguf.profiles import Profile
    from qwq_gguf.quantization.planning.plan import Plan
    from qwq_gguf.quantization.recipes.recipe import Recipe
    from qwq_gguf.quantization.writing.outputs import Outputs

__all__ = ["How", "Job", "make"]


@dataclass(frozen=True, slots=True)
class Job:
    """A model to make at `path`, or beside it in the parts of its plan."""

    recipe: Recipe
    plan: Plan
    path: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The GGUF files, in order."""
        from qwq_gguf.quantization.running.run import Target

        return Target(self.plan, self.path).paths


@dataclass(frozen=True, slots=True)
class How:
    """What does not change a byte of the result. `profile`: whose the Modelfile is, None for
    the one that the file carries. `inputs` are files that options name.
    """

    force: bool
    resume: bool
    threads: int | None
    max_memory: int | None
    kernels: KernelChoice
    manifest: bool
    modelfile: bool
    profile: Profile | None = None
    inputs: tuple[Path, ...] = ()


def make(jobs: Sequence[Job], opened: Opened, options: Mapping[str, Any], how: How) -> None:
    """Write the models and what lies beside them, in one reading of the weights.

    `options` are those that change bytes, for the manifests.
    """
    from qwq_gguf.checkpoint.identity import shard_identity
    from qwq_gguf.cli.progress import StreamBar
    from qwq_gguf.cli.quantize_source import source_files
    from qwq_gguf.output_paths import refuse_sources
    from qwq_gguf.quantization.running.target import Target
    from qwq_gguf.quantization.writing.free_space import refuse_other_files

    targets = [Target(job.plan, job.path, about=_about(job, options, how)) for job in jobs]
    paths = [path for target in targets for path in target.paths]
    refuse_sources(paths, [*source_files(opened), *how.inputs])
    refuse_other_files(paths)
    _open_files(len(paths), len(opened.shards))

    def identity(shard: Path) -> str:
        return shard_identity(shard, opened.hub)

    bar = StreamBar(_title(jobs))
    supply = shard_supply(opened, bar.downloaded)
    with (
        supply or nullcontext(),
        opened_outputs(targets, identity, force=how.force, resume=how.resume) as outputs,
    ):
        if supply is None:
            fetched = bring_whole(opened)
        else:
            fetched = {}
            check_stream_room(opened, outputs)

        def passed(shard: Path) -> tuple[str, int] | None:
            if supply is not None:
                return supply.passed(shard)
            came = fetched.get(shard)
            return None if came is None else (came.sha256, came.nbytes)

        with Recording(opened, wanted=how.manifest, models=len(jobs), passed=passed) as recording:
            _fill(outputs, supply, bar, jobs, recording, options, how)
        if how.modelfile:
            _write_modelfiles(jobs, how)
        if supply is None:
            sweep_stream(jobs[0].path)


def _about(job: Job, options: Mapping[str, Any], how: How) -> dict[str, Any]:
    """What else the file is made of, so that none is gone on with that differs."""
    about: dict[str, Any] = {
        "recipe": {"text": f"sha256 {sha256(job.recipe.text.encode()).hexdigest()[:16]}"},
        "options": options,
    }
    if machine().lower() not in ("x86_64", "amd64"):  # there, all give the same bytes
        about["options"] = {**options, "kernels": how.kernels.value}
    return about


def _fill(
    outputs: Outputs,
    supply: HubSupply | None,
    bar: StreamBar,
    jobs: Sequence[Job],
    recording: Recording,
    options: Mapping[str, Any],
    how: How,
) -> None:
    """Make what is missing of the weights; and the manifests."""
    from qwq_gguf.quantization.running.run import Progress, run_plans

    followers = [recording.follow(job.plan) for job in jobs]
    targets = [
        replace(target, follow=follow)
        for target, follow in zip(outputs.targets, followers, strict=True)
    ]

    def update(progress: Progress) -> None:
        recording.check()
        bar.update(progress)

    with bar:
        summaries = run_plans(
            targets,
            outputs=outputs,
            threads=how.threads,
            max_memory=how.max_memory,
            progress=update,
            kernels=how.kernels.value,
            supply=supply,
            approve=recording.settle,
        )
    show_summaries([job.plan for job in jobs], summaries)
    for job, followed in zip(jobs, followers, strict=True):
        recording.write(job.files, followed, job.recipe, options)


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


def _write_modelfiles(jobs: Sequence[Job], how: How) -> None:
    from qwq_gguf.cli.modelfile import write_beside

    for job in jobs:
        target = modelfile_beside(job.path)
        write_beside(job.files, target, force=how.force, profile=how.profile)


def _title(jobs: Sequence[Job]) -> str:
    if len(jobs) == 1:
        return f"{jobs[0].plan.recipe} {jobs[0].path.name}"
    return " ".join(job.plan.recipe for job in jobs)
