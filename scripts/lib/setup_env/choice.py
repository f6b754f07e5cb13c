"""What the doctor of this checkout would have compiled on this machine.

The doctor needs no package, so it can be asked before there are any; it is asked in a process of
its own, as drivers crash.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_ASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
from qwq_gguf.jobs.diagnosing import examine
remedy = examine().remedy
print(json.dumps(None if remedy is None else {
    "build": remedy.build, "cmake": remedy.cmake, "ready": remedy.ready, "wheel": remedy.index}))
"""
_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Choice:
    """CMAKE_ARGS for llama-cpp-python, "" for those of the processor, and a line for people."""

    cmake_args: str = ""
    told: str = ""


def ask_doctor(root: Path, python: str = sys.executable) -> Choice:
    """For the cards of this machine, where all is here that building for them takes.

    Whatever goes wrong: the processor's.
    """
    try:
        done = subprocess.run(
            [python, "-Es", "-c", _ASK, str(root)],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        said = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return Choice()
    return choose(said)


def choose(said: object) -> Choice:
    """What to do with the doctor's answer."""
    if not isinstance(said, dict) or said.get("build") in (None, "CPU", "Metal"):
        return Choice()  # Metal is in every build for macOS
    build, cmake = str(said["build"]), str(said.get("cmake") or "")
    if cmake and said.get("ready"):
        return Choice(
            cmake, f"for this machine's card, with {build}; CMAKE_ARGS=-DGGML_NATIVE=on for none"
        )
    return Choice("", f"this machine has a card for {build}: `qwq-gguf doctor` says how to use it")
