"""`scripts/soak inputs`: that it sees every fault, and a short run of each class."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from soak_inputs import class_names, trials_of
from soak_inputs._bounded import Bounds, soak
from soak_inputs._report import table

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded only on Linux")
def test_every_fault_is_seen_and_the_run_goes_on() -> None:
    tally = soak("_faults", 18, 5, Bounds(seconds=1.0, batch=9))
    assert (tally.tried, tally.accepted, tally.refused) == (18, 4, 2)
    first, second = tally.crashes[:6], tally.crashes[6:]
    assert [(c.seed, c.number, c.label) for c in first] == [
        (5, number, label)
        for number, label in enumerate(
            ("raises", "hangs", "wants all memory", "leaves", "aborts", "ends Python"), start=2
        )
    ]
    assert [(c.seed, c.number) for c in second] == [(6, number) for number in range(2, 8)]
    raised, hung, memory, left, aborted, ended = (crash.what for crash in first)
    assert raised.startswith("IndexError")
    assert hung == "no end in 1 s"
    assert memory.startswith("MemoryError")
    assert left.startswith("the process died: exit 0")
    assert aborted.startswith("the process died: SIGABRT")
    assert ended.startswith("SystemExit")
    assert "| _faults | 18 | 4 | 2 | 12 |" in table([tally])


def test_a_seed_gives_the_same_trials() -> None:
    for name in class_names():
        for seed in (1, 2):
            first, again = trials_of(name, seed), trials_of(name, seed)
            assert [next(first)[0] for _ in range(20)] == [next(again)[0] for _ in range(20)]


@pytest.mark.parametrize("name", class_names())
def test_nothing_crashes(name: str) -> None:
    tally = soak(name, 100, 0)
    assert tally.crashes == []
    assert tally.accepted
    assert tally.refused


def test_the_command_prints_json() -> None:
    flags = "--class gguf --trials 30 --batch 20 --seed 3 --json"
    done = subprocess.run(
        [sys.executable, "scripts/soak_runs.py", "inputs", *flags.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["seed"] == 3
    assert found["classes"][0]["tried"] == 30
    assert "gguf: 30 tried, 0 crashed" in done.stderr
