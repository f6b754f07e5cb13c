"""One run in this process with a clock at every stage, as JSON: bench_quantize.py's.

python bench_stages.py CHECKPOINT OUT RECIPE THREADS
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

__all__ = ["OVERLAPPING"]

OVERLAPPING = ("  read", "  quantize", "  write")
"""Busy seconds of the stages that work side by side, all threads of each together."""


def main(source: str, out: str, recipe_name: str, threads: int) -> None:
    times: dict[str, float] = {}
    last = time.perf_counter()

    def passed(name: str) -> None:
        nonlocal last
        now = time.perf_counter()
        times[name], last = now - last, now

    from qwq_gguf.checkpoint import open_checkpoint
    from qwq_gguf.conversion.conversion import convert
    from qwq_gguf.preparation import prepare
    from qwq_gguf.quantization.planning.plan import make_plan
    from qwq_gguf.quantization.recipes.shipped import load_recipe
    from qwq_gguf.quantization.running.run import run_plan
    from qwq_gguf.verification.record import ShardDigests
    from qwq_gguf.verification.running_digests import WriteFollower

    passed("import")
    checkpoint = open_checkpoint(source)
    passed("open the checkpoint")
    conversion = prepare(convert(checkpoint)).conversion
    passed("convert the tokenizer")
    plan = make_plan(conversion, load_recipe(recipe_name))
    passed("plan")
    written = time.perf_counter()

    def progress(_: object) -> None:
        nonlocal written
        written = time.perf_counter()

    with ShardDigests(checkpoint) as shards, WriteFollower() as follower:
        made = run_plan(
            plan, Path(out), follow=follower, force=True, threads=threads, progress=progress
        )
        durable = time.perf_counter() - written
        passed("run")
        times["run"] -= durable
        times["  compile or load kernels"] = made.compile_seconds
        times["  read"] = made.busy.reading
        times["  quantize"] = made.busy.making
        times["  write"] = made.busy.taking
        times["make durable, rename"] = durable
        follower.contents()
        shards.record()
        passed("wait for digests")
    print(json.dumps(times))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
