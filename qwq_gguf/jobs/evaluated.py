"""What an evaluation is made of, as its record says it: models, suites, profiles, machine."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwq_gguf.evaluation.questions import Question
    from qwq_gguf.jobs.contenders import Contender
    from qwq_gguf.jobs.evaluation_wanted import Evaluating
    from qwq_gguf.profiles import Profile

__all__ = ["evaluation_record"]


def evaluation_record(
    asked: Evaluating,
    contenders: Sequence[Contender],
    suites: Mapping[str, Sequence[Question]],
    *,
    parallel: int,
) -> dict[str, Any]:
    """The record of a run; see evaluation/asking/run_record.py for which of it decides replies."""
    from qwq_gguf.engine.saving.made_with import files_digest
    from qwq_gguf.evaluation.asking.run_record import run_record
    from qwq_gguf.jobs.versions import versions

    installed = versions().to_json()
    del installed["schema"]
    made_of = {
        "models": [
            {
                "name": each.name,
                "file": each.path.name,
                "bytes": sum(part.stat().st_size for part in each.parts),
                "digest": files_digest(each.parts),
            }
            for each in contenders
        ],
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
        "versions": installed,
    }
    made_by = {
        "parallel": parallel,
        "threads": asked.threads,
        "gpu_layers": asked.gpu_layers,
        "machine": _machine(),
        "command": asked.command,
    }
    return _plain(run_record(made_of, made_by))


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


def _machine() -> dict[str, Any]:
    from qwq_gguf.machine import processor_name, total_memory, usable_processors

    return {
        "system": sys.platform,
        "processor": processor_name(),
        "processors": usable_processors(),
        "memory": total_memory(),
    }


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """As it comes back from JSON, so that a record that was read can be compared with it."""
    plain: dict[str, Any] = json.loads(json.dumps(value, default=str))
    return plain
