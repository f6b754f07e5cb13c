"""The tiny reasoner of this package as a GGUF, made once into the cache."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from qwq_gguf.errors import OutputError
from qwq_gguf.jobs.events import Report
from qwq_gguf.jobs.planning import Wanted, plan_models
from qwq_gguf.jobs.quantizing import How, make
from qwq_gguf.resources import own_cache

__all__ = ["demo_gguf", "gguf_named"]

DEMO = "demo"


def gguf_named(source: str, report: Report) -> str:
    """What a user calls a GGUF; for `demo` the path of the tiny reasoner's, made if need be."""
    return str(demo_gguf(report)) if source == DEMO else source


def demo_gguf(report: Report) -> Path:
    """The file that `quantize demo` makes; made anew when it would be another one.

    OutputError where there is no folder that only this user can write.
    """
    folder = own_cache("demo")
    if folder is None:
        raise OutputError(
            "there is no cache folder of this user's own",
            hint='quantize it yourself: qwq_gguf.quantize("demo", "demo.gguf")',
        )
    planned = plan_models(Wanted("demo"))
    source, (job,) = planned.source, planned.jobs
    of = [job.plan.to_json(), [source.identity(shard) for shard in source.shards]]
    key = hashlib.sha256(json.dumps(of).encode()).hexdigest()[:16]
    path = folder / f"QwQ-Demo-{key}.gguf"
    if path.is_file():
        return path
    # In a folder of its own, as another process may be making the same.
    with TemporaryDirectory(dir=folder) as aside:
        made = Path(aside, path.name)
        make(plan_models(Wanted("demo", str(made))), How(manifest=False, modelfile=False), report)
        made.replace(path)
    return path
