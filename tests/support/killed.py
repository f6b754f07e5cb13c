"""A command that is killed before each single thing it does to the disk."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["killed_at_each_step"]

# Forks once a step, so that the imports are paid for once.
_PROGRAM = """
import os, shutil, signal, sys
from typer.testing import CliRunner
import qwq_gguf.verification.check, qwq_gguf.verification.record, qwq_gguf.editing
import qwq_gguf.cli.commands.set
from qwq_gguf.cli.app import app

source, folder, words = sys.argv[1], sys.argv[2], sys.argv[3:]
STEPS = "fchmod", "fsync", "fdatasync", "link", "pwrite", "replace", "unlink"

def counted(step, number, seen):
    def call(*arguments, **named):
        if seen[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        seen[0] += 1
        return step(*arguments, **named)
    return call

for number in range(200):
    place = os.path.join(folder, f"{number:03d}")
    shutil.copytree(source, place)
    child = os.fork()
    if child == 0:
        os.chdir(place)
        seen = [0]
        for name in STEPS:
            setattr(os, name, counted(getattr(os, name), number, seen))
        result = CliRunner().invoke(app, words)
        os._exit(result.exit_code)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        sys.exit(os.WEXITSTATUS(status))
    assert os.WTERMSIG(status) == signal.SIGKILL
sys.exit("it never ends")
"""


def killed_at_each_step(source: Path, folder: Path, words: Sequence[str]) -> None:
    """Run `qwq-gguf WORDS` in a copy of `source` again and again, killed at the first, the
    second, ... call that changes the disk, until it comes to its end. The copies are left
    in `folder`, named in order.
    """
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(source), str(folder), *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
