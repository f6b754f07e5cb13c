"""What a measurement is made of, as its record says it: models, suites, profiles, machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.jobs.run_facts import installed, made_by, model_facts

if TYPE_CHECKING:
    from qwq_gguf.evaluation.questions import Question
    from qwq_gguf.jobs.contenders import Contender
    from qwq_gguf.jobs.evaluation_wanted import Evaluating
    from qwq_gguf.jobs.quality_asked import QualityAsked
    from qwq_gguf.profiles import Profile

__all__ = ["QUALITY_RUN_SCHEMA", "evaluation_record", "quality_record"]

QUALITY_RUN_SCHEMA = "qwq-gguf/quality-run/1"


def evaluation_record(
    asked: Evaluating,
    contenders: Sequence[Contender],
    suites: Mapping[str, Sequence[Question]],
    *,
    parallel: int,
) -> dict[str, Any]:
    """The record of a run; see evaluation/asking/run_record.py for which of it decides replies."""
    from qwq_gguf.evaluation.asking.run_record import run_record

    fingerprint = {
        "models": [model_facts(each.name, each.path, each.parts) for each in contenders],
        "suites": [
            {"name": name, "questions": len(questions), "digest": _questions_digest(questions)}
            for name, questions in suites.items()
        ],
        "profiles": {
            each.name: {cell.profile: _chain(profile) for cell, profile in each.profiles.items()}
            for each in contenders
        },
        "governors": {
            each.name: {
                f"{cell.profile} {cell.governor}": asdict(profile.governor)
                for cell, profile in each.profiles.items()
            }
            for each in contenders
        },
        "seed": asked.seed,
        "samples": asked.samples,
        "limit": asked.limit,
        "max_tokens": asked.max_tokens,
        "context": asked.context,
        "effort": asked.effort,
        "append": asked.append,
        "versions": installed(),
    }
    this_time = made_by(threads=asked.threads, gpu_layers=asked.gpu_layers, command=asked.command)
    return _plain(run_record(fingerprint, {"parallel": parallel, **this_time}))


def quality_record(
    asked: QualityAsked, files: Sequence[tuple[Path, Sequence[Path]]]
) -> dict[str, Any]:
    """How quants were measured. `files` are the models with their parts, the reference (or its
    base logits) first. What was read is said beside it (`Quality.read`).
    """
    from qwq_gguf.evaluation.quality.closing import SEED

    return {
        "schema": QUALITY_RUN_SCHEMA,
        "models": [model_facts(path.name, path, parts) for path, parts in files],
        "seed": None if asked.traces is None else SEED,
        "versions": installed(),
        **made_by(threads=asked.threads, gpu_layers=asked.gpu_layers, command=asked.command),
    }


def _questions_digest(questions: Sequence[Question]) -> str:
    digest = hashlib.sha256()
    for question in questions:  # one by one, as the tests of programs are large
        text = json.dumps(asdict(question), sort_keys=True)
        digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _chain(profile: Profile) -> dict[str, Any]:
    return {
        "order": profile.chain.order,
        **profile.chain.settings(),
        "stops": profile.stops,
        "context": profile.context,
    }


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """As it comes back from JSON, so that a record that was read can be compared with it."""
    plain: dict[str, Any] = json.loads(json.dumps(value, default=str))
    return plain
