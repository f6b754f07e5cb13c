"""Making the GGUF files that were planned: checked, fetched, run, recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
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
from qwq_gguf.jobs.manifest_writing import Recording
from qwq_gguf.jobs.output_paths import modelfile_beside

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.hub.supply import HubSupply
    from qwq_gguf.jobs.planning import Job, Planned
    from qwq_gguf.quantization.running import run
    from qwq_gguf.quantization.running.target import Target
    from qwq_gguf.quantization.writing.outputs import Outputs
    from qwq_gguf.verification.manifest import Manifest

__all__ = ["How", "Made", "make"]


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


def make(planned: Planned, how: How, report: Report) -> tuple[Made, ...]:
    """Write the models and what lies beside them, in one reading of the weights."""
    from qwq_gguf.files.naming import refuse_sources
    from qwq_gguf.quantization.running.target import Target
    from qwq_gguf.quantization.writing.free_space import refuse_other_files

    source, jobs = planned.source, planned.jobs
    targets = [Target(job.plan, job.path, about=_about(job, planned, how)) for job in jobs]
    paths = [path for target in targets for path in target.paths]
    refuse_sources(paths, [*source.files(), *planned.inputs])
    refuse_other_files(paths)
    _make_folders(paths, report)
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


def _make_folders(paths: Sequence[Path], report: Report) -> None:
    """The folders that the results are to be in, where they are not there yet."""
    for folder in dict.fromkeys(path.parent for path in paths):
        if folder.exists():
            continue
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise OutputError(f"cannot be made: {error.strerror}", path=folder) from None
        report(Said(f"{folder}/ is made"))


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
    from qwq_gguf.checkpoint.hub.stream_folder import clear, remove_empty, stream_folder

    folder = stream_folder(target)
    if folder.is_dir() and not folder.is_symlink():
        clear(folder)
        remove_empty(folder)


def _title(jobs: Sequence[Job]) -> str:
    if len(jobs) == 1:
        return f"{jobs[0].plan.recipe} {jobs[0].path.name}"
    return " ".join(job.plan.recipe for job in jobs)
