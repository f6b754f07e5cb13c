"""What `quantize` shows people: the plan before, the result after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qwq_gguf.cli.terminal.output import note, show_table
from qwq_gguf.jobs.events import Streaming
from qwq_gguf.words import count, human_bytes, human_count, human_time

if TYPE_CHECKING:
    from qwq_gguf.jobs.events import Report
    from qwq_gguf.jobs.planning import Job, Planned
    from qwq_gguf.jobs.quantizing import Made
    from qwq_gguf.quantization.planning.plan import Plan
    from qwq_gguf.quantization.running.run import Summary

__all__ = [
    "MADE_SCHEMA",
    "PLANS_SCHEMA",
    "made_json",
    "planned_json",
    "show_findings",
    "show_jobs",
    "show_stream",
    "show_summaries",
    "stream_line",
]

PLANS_SCHEMA = "qwq-gguf/plans/1"
MADE_SCHEMA = "qwq-gguf/made/1"


def show_summaries(plans: Sequence[Plan], summaries: Sequence[Summary]) -> None:
    """What was made, how large it is and how long it took."""
    for plan, made in zip(plans, summaries, strict=True):
        several = f" in {len(plan.parts)} files" if plan.split else ""
        rate = f" ({_rate(made)} a second)" if made.read_weights else ""
        took = f"{_rest(made)} in {human_time(made.seconds)}{rate}"
        note(
            f"{made.path}: {human_bytes(made.file_bytes)}{several}, "
            f"{made.bits_per_weight:.2f} bits a weight, {human_count(made.weights)} weights"
            + (took if len(plans) == 1 else "")
        )
        note(f"  {_types_line(plan)}")
    last = summaries[-1]
    compiled = (
        f", compiled in {human_time(last.compile_seconds)} meanwhile"
        if last.compile_seconds >= 1
        else ""
    )
    note(f"  blocks by {last.kernels}{compiled}")
    if len(plans) > 1:
        note(f"{len(plans)} models{_rest(last)} in {human_time(last.seconds)}, from one reading")


def _rest(made: Summary) -> str:
    """Of a run that went on with another's work, what was left of it."""
    if made.read_weights == made.weights:
        return ""
    if not made.read_weights:
        return ", all made by an earlier run, checked"
    return f", the last {100 * made.read_weights / made.weights:.0f} % of them"


def _rate(made: Summary) -> str:
    return human_count(made.read_weights / made.seconds if made.seconds else 0.0)


def _types_line(plan: Plan) -> str:
    kinds = Counter(tensor.type.name for tensor in plan.tensors)
    return ", ".join(f"{number} x {kind}" for kind, number in kinds.most_common())


def show_jobs(jobs: Sequence[Job]) -> None:
    """What would be written: of a single model every tensor, of several one row each."""
    if len(jobs) == 1:
        _show_plan(jobs[0])
        return
    show_table(
        ("recipe", "bits a weight", "bytes", "size", "tensors"),
        [
            (
                job.plan.recipe,
                f"{job.plan.bits_per_weight:.2f}",
                f"{job.plan.file_bytes:,}",
                human_bytes(job.plan.file_bytes),
                _types_line(job.plan),
            )
            for job in jobs
        ],
        right="bits a weight,bytes,size",
    )
    note("")
    for job in jobs:
        _show_files(job)
    total = sum(job.plan.file_bytes for job in jobs)
    note(f"together {total:,} bytes ({human_bytes(total)}); name one recipe to see every tensor")


def show_findings(planned: Planned, *, changes: bool) -> None:
    """What the files will say otherwise than their source, what was found, what is warned of."""
    if changes:
        for line in planned.changes:
            note(f"set: {line}")
        for line in planned.notes:
            note(f"note: {line}")
    for line in planned.warnings:
        note(f"warning: {line}")


def show_stream(planned: Planned, tell: Report) -> None:
    """What would come and go, and what room it would take; `tell` says the rest of it."""
    for event in planned.source.announcements():
        if isinstance(event, Streaming):
            note(stream_line(event, would=True))
        else:
            tell(event)


def planned_json(planned: Planned) -> dict[str, Any]:
    """All that is planned as one JSON object."""
    said = {"changes": list(planned.changes), "notes": list(planned.notes)}
    return _jobs_json(planned.jobs) | planned.source.to_json() | said


def made_json(planned: Planned, made: Sequence[Made]) -> dict[str, Any]:
    """What was made as one JSON object."""
    return {
        "schema": MADE_SCHEMA,
        "models": [_made_json(each) for each in made],
        "changes": list(planned.changes),
        "notes": list(planned.notes),
        "warnings": list(planned.warnings),
    }


def _made_json(made: Made) -> dict[str, Any]:
    from qwq_gguf.jobs.output_paths import modelfile_beside

    plan, summary = made.job.plan, made.summary
    digests = {} if made.manifest is None else {f.name: f.file.sha256 for f in made.manifest.files}
    beside = modelfile_beside(made.job.path)
    return {
        "path": str(made.job.files[0]),
        "files": [{"path": str(path), "sha256": digests.get(path.name)} for path in made.job.files],
        "modelfile": str(beside) if beside.is_file() else None,
        "recipe": plan.recipe,
        "file_bytes": summary.file_bytes,
        "weights": summary.weights,
        "bits_per_weight": summary.bits_per_weight,
        "types": dict(Counter(tensor.type.name for tensor in plan.tensors).most_common()),
        "kernels": summary.kernels,
        "seconds": round(summary.seconds, 3),
    }


def _jobs_json(jobs: Sequence[Job]) -> dict[str, Any]:
    if len(jobs) == 1:
        return _job_json(jobs[0])
    return {"schema": PLANS_SCHEMA, "plans": [_job_json(job) for job in jobs]}


def _job_json(job: Job) -> dict[str, Any]:
    value = job.plan.to_json()
    if "parts" in value:
        named = zip(job.files, value["parts"], strict=True)
        value["parts"] = [{"name": path.name, **part} for path, part in named]
    return value


def _show_plan(job: Job) -> None:
    plan = job.plan
    show_table(
        ("tensor", "shape", "type", "bytes", "why"),
        [
            (
                tensor.name,
                " x ".join(map(str, tensor.shape)),
                tensor.type.name,
                f"{tensor.nbytes:,}",
                tensor.why,
            )
            for tensor in plan.tensors
        ],
        right="shape,bytes",
    )
    note(
        f"\n{plan.recipe}: {len(plan.tensors)} tensors ({_types_line(plan)}), "
        f"{plan.bits_per_weight:.2f} bits a weight"
    )
    _show_files(job)
    if plan.split:
        note(f"together {plan.file_bytes:,} bytes ({human_bytes(plan.file_bytes)})")


def _show_files(job: Job) -> None:
    for path, part in zip(job.files, job.plan.parts, strict=True):
        size = f"{part.file_bytes:,} bytes ({human_bytes(part.file_bytes)})"
        holds = f", {count(len(part.tensors), 'tensor')}" if job.plan.split else ""
        note(f"would write {path}: {size}{holds}")


def stream_line(event: Streaming, *, would: bool) -> str:
    """What passes by, and what room it takes."""
    if not event.shards:
        return "nothing to stream: all shards are in the cache"
    return (
        f"{'would stream' if would else 'streaming'} {count(event.shards, 'shard')} of "
        f"{event.repo} at {event.commit}: {human_bytes(event.nbytes)}, at most "
        f"{human_bytes(event.peak)} of it on the disk at a time"
        + (f"; the other {event.present} are in the cache" if event.present else "")
    )
