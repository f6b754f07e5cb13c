"""`scripts/soak kill`: quantize runs that are killed again and again, and what comes of them."""

from __future__ import annotations

import random
import time
from collections import Counter

from support.checkpoints import Shape
from support.kill_world import COMMANDS, KillWorld

__all__ = ["kill"]

# A run of some seconds, so that most kills meet one at work.
_SHAPE = Shape(hidden=768, layers=8, heads=12, kv_heads=4, feed_forward=3072, vocab=4000)


def kill(count: int, seed: int) -> None:
    """Kill `count` runs: at system calls in a small model, by phase; and processes, at random
    times in a larger one. Each has to end in the files of an undisturbed run.
    """
    print(f"kill: {count} runs, seed {seed}")
    rng, begun = random.Random(seed), time.monotonic()
    phases: Counter[str] = Counter()
    states: Counter[str] = Counter()
    with KillWorld() as small, KillWorld(_SHAPE) as large:
        number = 0
        while number < count:
            name, trial = rng.choice([*COMMANDS]), rng.randrange(10**9)
            which = f"{name}, number {number + 1}, trial {trial}"
            try:
                if rng.random() < 0.7:
                    phases[small.kill_at_calls(name, trial).phase] += 1
                    number += 1
                else:
                    found = large.kill_at_times(name, random.Random(trial))
                    states.update(found)
                    number += len(found)
            except AssertionError:
                print(f"broken by {which}", flush=True)
                raise
            if number % 20 < 1 or number >= count:
                print(f"  {number}: {time.monotonic() - begun:.0f} s", flush=True)
    _show("killed before or in a system call, by phase", phases)
    _show("killed processes, by what they had left", states)
    print("all were gone on with to the same bytes")


def _show(what: str, counts: Counter[str]) -> None:
    print(f"  {what}: " + ", ".join(f"{name} {n}" for name, n in counts.most_common()))
