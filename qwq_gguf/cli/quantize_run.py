"""What `quantize` does once everything is decided: check, fetch, run, record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.cli.quantize_show import show_summary
from qwq_gguf.cli.recording import Recording
from qwq_gguf.cli.sources import bring_weights
from qwq_gguf.cli.target import modelfile_beside

if TYPE_CHECKING:
    from qwq_gguf.checkpoint import Checkpoint
    from qwq_gguf.cli.quantize_flags import KernelChoice
    from qwq_gguf.profiles import Profile
    from qwq_gguf.quantize.plan import Plan
    from qwq_gguf.quantize.recipe import Recipe
    from qwq_gguf.quantize.run import Summary

__all__ = ["Job", "How", "make"]


@dataclass(frozen=True, slots=True)
class Job:
    """One file to make. `options` are those that change its bytes, for the manifest."""

    recipe: Recipe
    plan: Plan
    path: Path
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class How:
    """What does not change a byte of the result. `profile`: whose the Modelfile is, None for
    the one that the file carries.
    """

    force: bool
    threads: int | None
    kernels: KernelChoice
    manifest: bool
    modelfile: bool
    profile: Profile | None = None


def make(job: Job, checkpoint: Checkpoint, how: How) -> None:
    """Write the file and what lies beside it."""
    from qwq_gguf.quantize.output import NewFile

    NewFile(job.path, job.plan.file_bytes, force=how.force).check()  # before hours of download
    bring_weights(checkpoint)
    with Recording(checkpoint, wanted=how.manifest) as recording:
        show_summary(job.plan, _run(job, how, recording))
        recording.write(job.path, job.recipe, job.options)
    if how.modelfile:
        from qwq_gguf.cli.modelfile import write_beside

        write_beside(job.path, modelfile_beside(job.path), force=how.force, profile=how.profile)


def _run(job: Job, how: How, recording: Recording) -> Summary:
    from qwq_gguf.cli.progress import WeightsBar
    from qwq_gguf.quantize.run import run_plan

    with WeightsBar(f"{job.plan.recipe} {job.path.name}") as bar:
        return run_plan(
            job.plan,
            job.path,
            force=how.force,
            threads=how.threads,
            progress=bar.update,
            follow=recording.follower,
            kernels=how.kernels.value,
        )
