"""Runs of `qwq-gguf quantize` that end with SIGKILL at a chosen moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from support.hub_fixtures import hub_environment

__all__ = ["PHASES", "KillServer", "Moment", "Run"]

PHASES = (
    *("plan", "check", "begin", "download", "rows"),
    *("sync", "journal", "naming", "beside", "end"),
)
"""Of a run: headers are read; what is there is checked; files are made; shards come; rows are
read and written; made durable; recorded; files get their names; manifest and Modelfile; the
journal goes.
"""

_SERVER = Path(__file__).with_name("kill_server.py")


@dataclass(frozen=True)
class Moment:
    """Before system call number `at` of a phase; `torn`: when half of it is written."""

    phase: str
    at: int
    torn: bool = False


@dataclass(frozen=True)
class Run:
    """How a run ended: its status (-9: killed), what it said, and its calls by phase."""

    status: int
    output: str
    counts: Mapping[str, int]

    @property
    def killed(self) -> bool:
        return self.status == -9


class KillServer:
    """Runs commands in forks of one warm process, from `__enter__` to `__exit__`."""

    def __init__(self, scratch: Path, hub_url: str) -> None:
        self._scratch = scratch
        self.environment = {**os.environ, **hub_environment(hub_url, scratch / "hf")}
        """Of the children, and for others that are to find the same Hub."""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> KillServer:
        environment = {**self.environment, "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, str(_SERVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self._answer() == "ready"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.communicate()

    def run(
        self,
        arguments: Sequence[str],
        folder: Path,
        *,
        places: Sequence[Path] = (),
        kill: Moment | None = None,
        sync_seconds: float = 0.0,
    ) -> Run:
        """Run `qwq-gguf` with these arguments in `folder`. Calls on files there and in `places`
        are counted.
        """
        assert self._process is not None
        assert self._process.stdin is not None
        counts, output = self._scratch / "counts.json", self._scratch / "output.txt"
        counts.write_text("{}")
        job: dict[str, Any] = {
            "arguments": list(arguments),
            "folder": str(folder),
            "places": [str(folder), *map(str, places)],
            "kill": None if kill is None else vars(kill),
            "sync_seconds": sync_seconds,
            "counts": str(counts),
            "output": str(output),
        }
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        status = json.loads(self._answer())["status"]
        return Run(status, output.read_text(errors="replace"), json.loads(counts.read_text()))

    def _answer(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")
