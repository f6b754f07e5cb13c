"""The virtual environment and the pip in it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import SetupError
from .process import run_logged, tail

OLDEST_PYTHON = (3, 11)

Words = Sequence[str | Path]


@dataclass(frozen=True, slots=True)
class Venv:
    """A folder made by `python -m venv`."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def ensure(self) -> None:
        """Make it, or mend it; one that works is left as it is, whoever made it."""
        version = self._version()
        if version is None:
            self._make()
        elif version < OLDEST_PYTHON:
            raise SetupError(
                f"{self.folder} has Python {version[0]}.{version[1]}; "
                f"{OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} is the oldest that works",
                hint=f"move it away (mv {self.folder} {self.folder}.old) and run this again",
            )
        if not self._runs("-c", "import pip") and not self._runs("-m", "ensurepip"):
            raise SetupError(f"{self.folder} has no pip", hint=f"delete {self.folder}")

    def pip(
        self,
        arguments: Words,
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run this environment's pip, its output in `log`. Raises SetupError with the end of it."""
        words: Words = [self.python, "-m", "pip", *arguments]
        if run_logged(words, log=log, environment=pip_environment(environment or os.environ)):
            raise SetupError(
                f"pip failed; the end of its output:\n{tail(log, 15)}",
                hint=f"all of it is in {log}",
            )

    def install_locked(self, requirements: str, *, log: Path, wheels_only: bool = False) -> None:
        """Install exactly these pinned and hashed packages, and nothing they ask for beyond."""
        with tempfile.TemporaryDirectory(prefix="qwq-gguf-") as folder:
            file = Path(folder, "requirements.txt")
            file.write_text(requirements, encoding="utf-8")
            command: Words = ["install", "--no-deps", "--require-hashes", "-r", file]
            if wheels_only:
                command = [*command, "--only-binary", ":all:"]
            try:
                self.pip(command, log=log)
            except SetupError:
                # A set-up that was killed can leave a package that pip cannot uninstall,
                # because the list of its files was not written yet: then write over it.
                self.pip([*command, "--ignore-installed"], log=log)

    def _version(self) -> tuple[int, int] | None:
        code = "import sys; print(*sys.version_info[:2])"
        try:
            done = subprocess.run(
                [self.python, "-c", code], capture_output=True, text=True, check=False
            )
        except OSError:
            return None
        if done.returncode != 0:
            return None
        major, minor = done.stdout.split()
        return int(major), int(minor)

    def _runs(self, *arguments: str) -> bool:
        done = subprocess.run([self.python, *arguments], capture_output=True, check=False)
        return done.returncode == 0

    def _make(self) -> None:
        if self.folder.exists():
            print("  its Python does not run (any more): making it anew", file=sys.stderr)
        command = [sys.executable, "-m", "venv", "--clear", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SetupError(
                f"Python could not make a virtual environment: {done.stdout}{done.stderr}".rstrip(),
                hint="on Debian and Ubuntu: sudo apt-get install python3-venv",
            )


def pip_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment, mirrors and proxies included, less what would mislead pip."""
    dropped = {"PIP_CONSTRAINT", "PIP_PREFIX", "PIP_REQUIRE_HASHES", "PIP_TARGET", "PYTHONHOME"}
    kept = {name: value for name, value in environment.items() if name not in dropped}
    return kept | {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_PROGRESS_BAR": "off",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_USER": "0",
    }
