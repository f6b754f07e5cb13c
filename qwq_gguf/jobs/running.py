"""From any name of a model to a file that can be run: planned, shown, agreed to, done, kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import UsageError
from qwq_gguf.files.reading import user_path
from qwq_gguf.jobs.configuration import Configuration
from qwq_gguf.jobs.events import Report
from qwq_gguf.jobs.kept_models import (
    Kept,
    find_kept,
    keep,
    kept_models,
    models_folder,
    touched,
)
from qwq_gguf.jobs.recipe_choosing import BestFit, choose
from qwq_gguf.words import count, human_bytes, human_time

if TYPE_CHECKING:
    from qwq_gguf.checkpoint import LocatedGguf
    from qwq_gguf.jobs.planning import Planned

__all__ = ["RunPlan", "Runnable", "RunWanted", "carry_out", "plan_run"]

# Weights that one core makes into blocks in a second, reading and writing included
# (docs/performance.md); what it will be is an estimate.
_MADE_A_SECOND = 80e6
_LINE = 100e6 / 8  # bytes a second of a usual line, to say how long a download takes


@dataclass(frozen=True, slots=True)
class RunWanted:
    """What is to be run: `recipe` and `context` are what was asked for, None for a choice."""

    source: str
    recipe: str | None = None
    context: int | None = None
    revision: str | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Runnable:
    """A file that is ready, and the context to run it with; None for the usual one."""

    path: Path
    context: int | None = None


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What has to happen before a model can be run. Nothing, where it is `ready`.

    `download` and `disk` are bytes, `weights` those that are made into blocks. `again`: it was
    agreed to before, and goes on.
    """

    kept: Kept
    recorded: bool
    ready: bool = False
    again: bool = False
    download: int = 0
    disk: int = 0
    weights: int = 0
    why: str = ""
    located: LocatedGguf | None = None
    planned: Planned | None = None

    @property
    def seconds(self) -> float:
        """About how long making it takes here, without the download."""
        from qwq_gguf.machine import usable_processors

        return self.weights / (_MADE_A_SECOND * max(1, usable_processors()))

    def lines(self, folder: Path) -> Iterator[str]:
        """What will happen, for a person."""
        kept = self.kept
        if kept.recipe is not None:
            yield f"recipe     {kept.recipe} ({self.why})"
        if self.download:
            waits = human_time(self.download / _LINE)
            yield f"download   {human_bytes(self.download)}, {waits} at 100 Mbit/s"
        elif self.located is not None or kept.source != str(kept.path):
            yield "download   nothing"
        free = _free(folder)
        yield f"disk       {human_bytes(self.disk)} of {human_bytes(free)} that are free"
        if self.weights:
            yield f"computing  about {human_time(max(1.0, self.seconds))}"
        tokens = "the profile's" if kept.context is None else count(kept.context, "token")
        yield f"context    {tokens}"
        yield f"kept as    {kept.path}"

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "schema": "qwq-gguf/run/1",
            "name": self.kept.name,
            "source": self.kept.source,
            "path": str(self.kept.path),
            "recipe": self.kept.recipe,
            "context": self.kept.context,
            "ready": self.ready,
            "download_bytes": self.download,
            "disk_bytes": self.disk,
            "seconds": round(self.seconds, 1),
        }


def plan_run(
    wanted: RunWanted,
    configuration: Configuration,
    report: Report,
    *,
    best_fit: BestFit | None = None,
) -> RunPlan:
    """Decide how to come by the model. Of what an earlier run has kept, nobody is asked."""
    from qwq_gguf.checkpoint import holds_gguf
    from qwq_gguf.jobs.fetching import asking

    source = configuration.model(wanted.source)
    folder = models_folder(configuration)
    path = user_path(source)
    if path.is_file():
        _refuse_recipe(wanted, source)
        return RunPlan(Kept(path.stem, source, path, ours=False), recorded=False, ready=True)
    known = str(path.resolve()) if path.is_dir() else source
    kept = find_kept(folder, known)
    if kept is not None and _is_meant(kept, wanted):
        if not kept.begun:
            kept = replace(kept, context=wanted.context or kept.context)
            return RunPlan(kept, recorded=True, ready=True)
        wanted = replace(wanted, source=kept.source, recipe=wanted.recipe or kept.recipe)
        source = known = kept.source
    again = kept is not None and kept.begun and _is_meant(kept, wanted)
    with asking(report, source):
        finished = holds_gguf(source, revision=wanted.revision, token=wanted.token)
    if finished:
        _refuse_recipe(wanted, source)
        return replace(_fetched(source, wanted, report), again=again)
    return replace(_made(known, folder, wanted, report, best_fit), again=again)


def carry_out(plan: RunPlan, configuration: Configuration, report: Report) -> Runnable:
    """Do it, and write down that the model is kept. Whatever ends it, the next run goes on."""
    from qwq_gguf.jobs.fetching import bring_gguf
    from qwq_gguf.jobs.quantizing import How, make

    folder = models_folder(configuration)
    if not plan.ready:
        keep(folder, replace(plan.kept, begun=True, used=datetime.now(UTC)))
        if plan.located is not None:
            bring_gguf(plan.located, report)
        if plan.planned is not None:
            for event in plan.planned.source.announcements():
                report(event)
            make(plan.planned, How(), report)
    if plan.recorded:
        touched(folder, plan.kept)
    return Runnable(plan.kept.path, plan.kept.context)


def _is_meant(kept: Kept, wanted: RunWanted) -> bool:
    return wanted.recipe is None or (kept.recipe or "").upper() == wanted.recipe.upper()


def _refuse_recipe(wanted: RunWanted, source: str) -> None:
    if wanted.recipe is not None:
        raise UsageError(
            f"{source} is a GGUF already: --recipe is for checkpoints (qwq-gguf quantize makes "
            "another of it)"
        )


def _fetched(source: str, wanted: RunWanted, report: Report) -> RunPlan:
    from qwq_gguf.checkpoint import locate_gguf
    from qwq_gguf.exporters.facts import model_of
    from qwq_gguf.jobs.fetching import asking

    with asking(report, source):
        located = locate_gguf(source, revision=wanted.revision, token=wanted.token, fetch=False)
    hub = located.hub
    missing = 0
    for part in located.parts if hub is not None else ():
        file = hub.file_at(part) if hub is not None else None
        if hub is not None and not hub.is_here(hub.name_of(part)) and file is not None:
            missing += file.size or 0
    kept = Kept(
        model_of(located.path.name), source, located.path, context=wanted.context, ours=False
    )
    return RunPlan(
        kept, True, ready=located.is_here, download=missing, disk=missing, located=located
    )


def _made(
    source: str, folder: Path, wanted: RunWanted, report: Report, best_fit: BestFit | None
) -> RunPlan:
    from qwq_gguf.exporters.exported import slug
    from qwq_gguf.jobs.planning import Wanted, plan_models

    choice = choose(
        source,
        recipe=wanted.recipe,
        context=wanted.context,
        best_fit=best_fit,
        revision=wanted.revision,
        token=wanted.token,
    )
    asked = Wanted(
        source,
        f"{folder}/",
        (choice.recipe,),
        stream=source != "demo" and not Path(source).is_dir(),
        revision=wanted.revision,
        token=wanted.token,
    )
    planned = plan_models(asked, report)
    if _is_anothers(planned.jobs[0].path, source, folder):
        own = f"{slug(source)}-{planned.jobs[0].plan.recipe}.gguf"
        planned = plan_models(replace(asked, out=str(folder / own)), report)
    (job,) = planned.jobs
    stream = planned.source.to_json().get("stream", {})
    download, peak = stream.get("bytes", 0), stream.get("peak_bytes", 0)
    name = job.path.name.removesuffix(".gguf")
    kept = Kept(name, source, job.path, job.plan.recipe, choice.context)
    return RunPlan(
        kept,
        True,
        download=download,
        disk=job.plan.file_bytes + peak,
        weights=job.plan.weights,
        why=choice.why,
        planned=planned,
    )


def _is_anothers(path: Path, source: str, folder: Path) -> bool:
    """Whether a model of another source is kept under this file's name."""
    return any(kept.path == path and kept.source != source for kept in kept_models(folder))


def _free(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free
