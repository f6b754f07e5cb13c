"""SIGKILL at 50 moments of `quantize`, in all phases: the same command makes the same file."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.checkpoints import write_checkpoint
from support.hub import LoopbackHub
from support.killing import PHASES, KillServer, Moment

REPO = "Qwen/Tiny-1B"
KILLS = 50
SEEDS = {"force": range(14), "several": range(14), "stream": range(10), "plain": range(12)}
RECIPES = {
    "plain": ("Q8_0",),
    "force": ("Q8_0", "--force"),
    "several": ("Q8_0", "-r", "BF16", "--split-max-tensors", "12"),
    "stream": ("Q8_0", "--stream"),
}
TIMED = ("download", "sync", "journal")
"""Phases whose number of calls depends on what was ready when."""

MEMORY = Path("/dev/shm")  # a kill is no power cut: nothing has to reach a disk


@dataclass(frozen=True)
class Mode:
    """A command, and what undisturbed runs of it make: digests by name, calls by phase."""

    arguments: tuple[str, ...]
    files: Mapping[str, str]
    counts: Mapping[str, int]


@dataclass(frozen=True)
class World:
    server: KillServer
    checkpoint: Path
    modes: dict[str, Mode]
    scratch: Path

    def mode(self, name: str) -> Mode:
        if name not in self.modes:
            source = REPO if name == "stream" else str(self.checkpoint)
            arguments = ("quantize", source, "--kernels", "ggml", "-r", *RECIPES[name])
            folder = self.scratch / name
            folder.mkdir()
            done = self.server.run(arguments, folder, places=[self.checkpoint])
            assert done.status == 0, done.output
            self.modes[name] = Mode(arguments, files_in(folder), done.counts)
        return self.modes[name]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        scratch = Path(folder)
        checkpoint = write_checkpoint(scratch / "models" / "Tiny-1B", shards=3)
        with LoopbackHub() as hub, KillServer(scratch, hub.url) as server:
            hub.add_folder(REPO, checkpoint)
            yield World(server, checkpoint, {}, scratch)


@pytest.fixture
def here(world: World) -> Iterator[Path]:
    with TemporaryDirectory(dir=world.scratch) as folder:
        yield Path(folder)


def files_in(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def moment(mode: Mode, seed: int, rng: random.Random) -> Moment:
    phases = [phase for phase in PHASES if phase in mode.counts]
    phase = phases[seed % len(phases)]
    return Moment(phase, rng.randrange(mode.counts[phase]), rng.random() < 0.4)


def test_there_are_so_many() -> None:
    assert sum(map(len, SEEDS.values())) == KILLS


@pytest.mark.parametrize("name, seed", [(name, seed) for name in SEEDS for seed in SEEDS[name]])
def test_killed_and_resumed(world: World, here: Path, name: str, seed: int) -> None:
    mode = world.mode(name)
    rng = random.Random(f"{name} {seed}")
    old = hashlib.sha256(b"old").hexdigest()
    if name == "force":
        (here / "Tiny-1B-Q8_0.gguf").write_bytes(b"old")
    last, status = None, -9
    first, *more = (moment(mode, seed, rng) for _ in range(rng.choice((1, 1, 2))))
    more += [Moment("check", rng.randrange(4))] if seed % 4 == 3 else []
    more = [] if first.phase == "end" else more  # nothing is left to do then
    for kill in (first, *more):
        ended = world.server.run(mode.arguments, here, places=[world.checkpoint], kill=kill)
        last, status = kill, ended.status
        # What can be seen is whole, or the old.
        for file, digest in files_in(here).items():
            if not file.startswith("."):
                assert digest == mode.files[file] or (name == "force" and digest == old), file
        if not ended.killed:  # fewer calls are left of a run that was begun before
            assert kill != first or kill.phase in TIMED
            assert status == 0, ended.output
            break
    assert last is not None
    if status:
        done = world.server.run(mode.arguments, here, places=[world.checkpoint])
        # Between the last file and the end of the process there is nothing left to do.
        had_finished = last.phase == "end" and "exists already" in done.output
        assert done.status == 0 or had_finished, done.output
    made = files_in(here)
    assert {file: made[file] for file in mode.files} == mode.files
    assert last.phase == "end" or sorted(path.name for path in here.iterdir()) == [*mode.files]
