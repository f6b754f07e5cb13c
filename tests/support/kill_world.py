"""Commands that are killed and given again, and the promise that each ends as undisturbed."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from qwq_gguf.quantization.writing.journal import parse_journal
from support.checkpoints import Shape, write_checkpoint
from support.hub import LoopbackHub
from support.killing import PHASES, KillServer, Moment, Run

__all__ = ["COMMANDS", "KillWorld"]

REPO = "Qwen/Tiny-1B"
COMMANDS = {
    "plain": ("-r", "Q8_0"),
    "force": ("-r", "Q8_0", "--force"),
    "several": ("-r", "Q8_0", "-r", "BF16", "--split-max-tensors", "12"),
    "stream": ("-r", "Q8_0", "--stream"),
}
"""`force` finds an older file in its place."""

TIMED = ("download", "sync", "journal")
"""Phases whose number of calls depends on what was ready when."""

_OLD = b"an older file"
_MEMORY = Path("/dev/shm")  # a kill is no power cut: nothing has to reach a disk


@dataclass(frozen=True)
class Command:
    """What undisturbed runs of it make: digests by name, calls by phase, in which time."""

    arguments: tuple[str, ...]
    files: Mapping[str, str]
    counts: Mapping[str, int]
    seconds: float


class KillWorld:
    """A checkpoint, here and on a loopback Hub, and a folder to quantize it in.

    Each trial raises AssertionError where the promise is broken; then the folder stays.
    """

    def __init__(self, shape: Shape | None = None, *, shards: int = 3) -> None:
        self._shape = shape
        self._shards = shards
        self._commands: dict[str, Command] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        memory = _MEMORY if _MEMORY.is_dir() else None
        self.scratch = Path(self._open.enter_context(TemporaryDirectory(dir=memory)))
        models = self.scratch / "models"
        self.checkpoint = write_checkpoint(
            models / "Tiny-1B", shape=self._shape, shards=self._shards
        )
        self.hub = self._open.enter_context(LoopbackHub())
        self.hub.add_folder(REPO, self.checkpoint)
        self.server = self._open.enter_context(KillServer(self.scratch, self.hub.url))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def command(self, name: str) -> Command:
        """One of COMMANDS, after a run that nobody disturbed."""
        if name not in self._commands:
            source = REPO if name == "stream" else str(self.checkpoint)
            arguments = ("quantize", source, "--kernels", "ggml", *COMMANDS[name])
            with TemporaryDirectory(dir=self.scratch) as folder:
                begun = time.monotonic()
                done = self.server.run(arguments, Path(folder), places=[self.checkpoint])
                seconds = time.monotonic() - begun
                assert done.status == 0, done.output
                files = _files(Path(folder))
            self._commands[name] = Command(arguments, files, done.counts, seconds)
        return self._commands[name]

    def kill_at_calls(self, name: str, seed: int) -> Moment:
        """Kill a run of the command at a system call, sometimes the next one too; go on to
        the end. The phase follows from the seed; returns where the first was killed.
        """
        command, rng = self.command(name), random.Random(f"{name} {seed}")
        first, *more = (_moment(command, seed, rng) for _ in range(rng.choice((1, 1, 2))))
        more += [Moment("check", rng.randrange(4))] if seed % 4 == 3 else []
        more = [] if first.phase == "end" else more  # nothing is left to do then
        with TemporaryDirectory(dir=self.scratch) as folder:
            here = self._begin(name, Path(folder))
            status, over = -9, False
            for kill in (first, *more):
                ended = self._run(command, here, kill)
                self._check_visible(command, here)
                status = ended.status
                # The journal has gone, and what is left to do is tidying.
                over = ended.killed and not _journals(here)
                if not ended.killed:  # fewer calls are left of a run that was begun before
                    assert kill != first or kill.phase in TIMED, f"not reached: {kill}"
                    assert status == 0, ended.output
                    break
            over = over or kill.phase == "end"
            if status:
                over = self._finish(command, here, may_have_finished=over)
            self._check_end(command, here, tidy=not over)
        return first

    def kill_at_times(self, name: str, rng: random.Random) -> list[str]:
        """Kill processes of the command at random times, then let one go to the end.

        Returns what was there at each kill: see _found.
        """
        command, found = self.command(name), []
        with TemporaryDirectory(dir=self.scratch) as folder:
            here = self._begin(name, Path(folder))
            for _ in range(rng.randint(1, 4)):
                self._kill_process(command, here, rng)
                self._check_visible(command, here)
                found.append(_found(command, here))
                if found[-1] == "finished":
                    break
            else:
                self._finish(command, here, may_have_finished=False)
            self._check_end(command, here, tidy=True)
        return found

    def _kill_process(self, command: Command, here: Path, rng: random.Random) -> None:
        program = str(Path(sys.executable).with_name("qwq-gguf"))
        process = subprocess.Popen(
            [program, *command.arguments],
            cwd=here,
            env=self.server.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if rng.random() < 0.8:  # the rest may be killed while it imports
            before = _journals(here)
            while process.poll() is None and _journals(here) == before:
                time.sleep(0.001)
        time.sleep(rng.uniform(0, command.seconds * 1.2))
        process.kill()
        process.wait()

    def _begin(self, name: str, here: Path) -> Path:
        if name == "force":
            (here / "Tiny-1B-Q8_0.gguf").write_bytes(_OLD)
        return here

    def _run(self, command: Command, here: Path, kill: Moment | None = None) -> Run:
        return self.server.run(command.arguments, here, places=[self.checkpoint], kill=kill)

    def _finish(self, command: Command, here: Path, *, may_have_finished: bool) -> bool:
        """Let a run go to the end; whether there was nothing left for it."""
        done = self._run(command, here)
        had_finished = may_have_finished and "exists already" in done.output
        assert done.status == 0 or had_finished, done.output
        return done.status != 0

    def _check_visible(self, command: Command, here: Path) -> None:
        """What has a name is whole, or what was there before."""
        old = hashlib.sha256(_OLD).hexdigest()
        for file, digest in _files(here).items():
            if not file.startswith("."):
                assert digest in (command.files[file], old), f"{file} is neither old nor whole"

    def _check_end(self, command: Command, here: Path, *, tidy: bool) -> None:
        made = _files(here)
        for file, digest in command.files.items():
            assert made.get(file) == digest, f"{file} is not what an undisturbed run makes"
        left = sorted(path.name for path in here.iterdir() if path.name not in command.files)
        assert not left or not tidy, f"left behind: {left}"


def _files(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def _moment(command: Command, seed: int, rng: random.Random) -> Moment:
    phases = [phase for phase in PHASES if phase in command.counts]
    phase = phases[seed % len(phases)]
    return Moment(phase, rng.randrange(command.counts[phase]), rng.random() < 0.4)


def _journals(here: Path) -> tuple[tuple[str, int], ...]:
    return tuple((path.name, path.stat().st_size) for path in sorted(here.glob(".*.journal")))


def _found(command: Command, here: Path) -> str:
    """How far a killed run had come, by what it left."""
    journals = [parse_journal(path.read_bytes()) for path in here.glob(".*.journal")]
    ggufs = [name for name in command.files if name.endswith(".gguf")]
    named = [name for name in ggufs if (here / name).exists() and _is_new(here / name)]
    if not journals:
        return "finished" if len(named) == len(ggufs) else "nothing yet"
    if not any(journal.rows for journal in journals):
        return "files made"
    if not all(journal.complete for journal in journals):
        return "rows recorded"
    return "all named" if len(named) == len(ggufs) else "all recorded"


def _is_new(path: Path) -> bool:
    return path.read_bytes() != _OLD
