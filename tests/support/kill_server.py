"""A process that runs `qwq-gguf` in children of its own, and kills them where it is told.

It imports everything and quantizes once; each run is then a fork of it and takes tens of
milliseconds. A child counts the system calls that matter, by the phase of the run they belong
to, and ends itself with SIGKILL before one of them, or in the middle of a write.

Reads a job a line, a JSON object, and answers each with a line; see killing.py.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any

AUDITED = {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "socket.connect"}
PATCHED = ("pread", "pwrite", "write", "fsync", "fdatasync", "ftruncate")


class Killer:
    """Counts calls by phase, and kills at number `at` of `phase`, counted from 0."""

    def __init__(self, places: list[str], kill: dict[str, Any] | None) -> None:
        self.counts: dict[str, int] = {}
        self._places = tuple(places)
        self._kill = kill
        self._lock = threading.RLock()
        self._naming = False
        self._real = {name: getattr(os, name) for name in PATCHED}

    def install(self) -> None:
        for name in PATCHED:
            setattr(os, name, self._patched(name))
        sys.addaudithook(self._audit)

    def _patched(self, name: str) -> Any:
        real = self._real[name]

        def call(descriptor: int, *arguments: Any) -> Any:
            if descriptor > 2:
                path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
                with self._lock:
                    if self._reached(self._phase(name, path)):
                        if self._torn and "write" in name:
                            half = memoryview(arguments[0]).cast("B")
                            real(descriptor, half[: len(half) // 2], *arguments[1:])
                        os.kill(os.getpid(), signal.SIGKILL)
            return real(descriptor, *arguments)

        return call

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in AUDITED:
            return
        first = arguments[0] if arguments else None
        if event == "socket.connect":
            phase: str | None = "download"
        elif isinstance(first, str | os.PathLike):
            phase = self._phase(event, os.path.abspath(first))  # noqa: PTH100
        else:
            return
        with self._lock:
            if self._reached(phase):
                os.kill(os.getpid(), signal.SIGKILL)

    @property
    def _torn(self) -> bool:
        return self._kill is not None and bool(self._kill.get("torn"))

    def _reached(self, phase: str | None) -> bool:
        if phase is None:
            return False
        number = self.counts.get(phase, 0)
        self.counts[phase] = number + 1
        return self._kill is not None and (phase, number) == (self._kill["phase"], self._kill["at"])

    def _phase(self, call: str, path: str) -> str | None:
        if not path.startswith(self._places):
            return None
        name = Path(path).name.removesuffix(" (deleted)")
        if name.endswith(".journal"):
            return "end" if call == "os.remove" else "journal"
        if ".manifest.json" in name or "Modelfile" in name:
            return "beside"
        if ".shards" in path or name.endswith(".incomplete"):
            reading = call == "pread" and threading.current_thread().name.startswith("read")
            return "rows" if reading else "download"
        if name.endswith((".gguf", ".gguf.partial")):
            if call == "pread":  # a resumed run looks at what is there; else it is the manifest's
                return "check" if threading.current_thread().name.startswith("check") else None
            if call in ("os.link", "os.rename", "fsync"):
                self._naming = True
            if self._naming:
                return "naming"
            return {"pwrite": "rows", "fdatasync": "sync"}.get(call, "begin")
        if call == "fsync" and stat.S_ISDIR(os.stat(path).st_mode):  # noqa: PTH116
            return "naming" if self._naming else "sync"
        if path in self._places:
            return None
        return {"pread": "rows", "open": "plan"}.get(call)


def child(job: dict[str, Any]) -> None:
    from qwq_gguf.cli.main import main
    from qwq_gguf.quantization.writing import syncing as durable

    durable.SYNC_SECONDS = job["sync_seconds"]
    os.chdir(job["folder"])
    said = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.stdin, sys.stdout, sys.stderr = open(os.devnull), open(1, "w"), open(2, "w")  # noqa: PTH123, SIM115
    killer = Killer(job["places"], job["kill"])
    killer.install()
    sys.argv = ["qwq-gguf", *job["arguments"]]
    code = 1
    try:
        main()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        Path(job["counts"]).write_text(json.dumps(killer.counts))
        os._exit(code)


def run(job: dict[str, Any]) -> int:
    """The child's exit status, negative for the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        child(job)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def warm_up() -> None:
    """Import what a run imports, so that no child has to."""
    import huggingface_hub
    from typer.testing import CliRunner

    from qwq_gguf.checkpoint.hub import supply  # noqa: F401
    from qwq_gguf.cli.app import app

    huggingface_hub.get_session()
    with tempfile.TemporaryDirectory() as folder:
        done = CliRunner().invoke(app, ["quantize", "demo", f"{folder}/x.gguf", "--kernels=ggml"])
    if done.exit_code:
        sys.exit(done.output)
    if threading.active_count() > 1:
        sys.exit(f"threads are left that a fork would lose: {threading.enumerate()}")


def main() -> None:
    warm_up()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps({"status": run(json.loads(line))}), flush=True)


if __name__ == "__main__":
    main()
