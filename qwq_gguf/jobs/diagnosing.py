"""Looking at this computer, and installing the build of llama.cpp that it needs."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwq_gguf.chat.events import Finished
from qwq_gguf.errors import LibraryError, QwqGgufError, UsageError
from qwq_gguf.jobs.events import Event, Note, Report
from qwq_gguf.machine import (
    available_memory,
    physical_cores,
    total_memory,
    usable_processors,
)
from qwq_gguf.machine.findings import Diagnosis, diagnose
from qwq_gguf.machine.installed import Installed
from qwq_gguf.machine.recording import Recording, look
from qwq_gguf.machine.remedies import Remedy

__all__ = ["Proof", "examine", "install", "prove", "record"]

_QUESTION, _ANSWER = "What is 7*43?", "301"
_INSTALL_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Proof:
    """What the demo did with what is installed: its answer, whether it is right, how many layers
    were on a card, tokens a second there and on the processor.
    """

    answer: str
    right: bool
    gpu_layers: int
    speed: float
    cpu_speed: float

    def to_json(self) -> dict[str, Any]:
        """The same for `--json`."""
        return {
            "answer": self.answer,
            "right": self.right,
            "gpu_layers": self.gpu_layers,
            "tokens_per_second": round(self.speed, 1),
            "tokens_per_second_cpu": round(self.cpu_speed, 1),
        }


def examine() -> Diagnosis:
    """What is right and wrong with this computer."""
    return diagnose(*record())


def record() -> tuple[Recording, Installed]:
    """All that is looked at, to be kept or to be diagnosed."""
    return look(), _installed()


def install(remedy: Remedy) -> None:
    """Install a build with the pip of this Python, or with uv where it has none.

    What it says goes to stderr. LibraryError if it fails; what was there before is then gone
    only if it had come so far.
    """
    environment = dict(os.environ)
    # Where it is set, llama.cpp is compiled for any processor of this kind, the oldest, too.
    environment.pop("SOURCE_DATE_EPOCH", None)
    if remedy.cmake:
        environment["CMAKE_ARGS"] = remedy.cmake
    command = [sys.executable, "-m", "pip", "install", *remedy.pip_arguments]
    if importlib.util.find_spec("pip") is None:
        uv = shutil.which("uv")
        if uv is None:
            raise LibraryError(
                "there is neither pip nor uv to install with", hint=f"{sys.executable} -m ensurepip"
            )
        _, text = remedy.commands("linux")
        words = text[text.index("uv pip install") :].split()
        command = [uv, *words[1:], "--python", sys.executable]
    done = subprocess.run(command, stdout=sys.stderr, env=environment, check=False)
    if done.returncode:
        raise LibraryError(
            f"the {remedy.build} build could not be installed",
            found=f"status {done.returncode} of {command[0]}",
            hint="what it said stands above; `qwq-gguf doctor` looks again",
        )


def prove(report: Report) -> Proof:
    """Ask the demo something, on the card and on the processor, in a process of its own.

    What was just installed is not what this process has loaded.
    """
    from qwq_gguf.jobs.demo import demo_gguf

    path = demo_gguf(report)
    done = subprocess.run(
        [sys.executable, "-m", "qwq_gguf.jobs.diagnosing", str(path)],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_INSTALL_SECONDS,
        check=False,
    )
    from qwq_gguf.json_text import parse_json

    try:
        value = parse_json(done.stdout.splitlines()[-1].encode()) if done.returncode == 0 else None
    except (IndexError, ValueError):
        value = None
    if not isinstance(value, dict):
        raise LibraryError(
            "the demo does not run with this build", found=done.stderr.strip()[-300:] or "no answer"
        )
    report(Note(f"the demo answers {value['answer']}"))
    return Proof(
        str(value["answer"]),
        bool(value["right"]),
        int(value["gpu_layers"]),
        float(value["speed"]),
        float(value["cpu_speed"]),
    )


def _proof(path: Path) -> dict[str, Any]:
    """The child's part of `prove`."""
    from qwq_gguf.jobs.chat_opening import open_chat
    from qwq_gguf.jobs.loading import load_model
    from qwq_gguf.jobs.wishes import Wishes

    def silent(_event: Event) -> None:
        pass

    speeds: dict[str, float] = {}
    answer, layers = "", 0
    for where, wanted in (("speed", None), ("cpu_speed", 0)):
        with (
            load_model(path, silent, usual_context=2048, gpu_layers=wanted) as model,
            open_chat(model, Wishes(), silent, seed=1) as chat,
        ):
            for event in chat.ask(_QUESTION):
                if isinstance(event, Finished):
                    speeds[where] = event.reply.tokens_per_second
                    if wanted is None:
                        answer, layers = event.reply.answer, model.gpu_layers
        if layers == 0:
            speeds["cpu_speed"] = speeds["speed"]
            break
    digits = re.sub(r"[^0-9]", "", answer)
    return {"answer": answer.strip(), "right": _ANSWER in digits, "gpu_layers": layers, **speeds}


def _installed() -> Installed:
    from qwq_gguf.engine.llama.library import SUPPORTED

    facts = _library_facts()
    here, whole = available_memory(), total_memory()
    return Installed(
        python=platform.python_version(),
        wanted=next(iter(SUPPORTED)),
        memory=whole,
        free=here,
        limited=_limited(whole),
        cores=physical_cores(),
        processors=usable_processors(),
        disk=_disk(),
        vectors=_vectors(),
        ollama=_ollama(),
        lm_studio=_lm_studio(),
        virtual=sys.prefix != sys.base_prefix or "CONDA_PREFIX" in os.environ,
        **facts,
    )


def _library_facts() -> dict[str, Any]:
    try:
        version = importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:
        return {}
    found: dict[str, Any] = {"version": version}
    try:
        from qwq_gguf.engine.llama.backends import backends_and_devices
        from qwq_gguf.engine.llama.library import library_facts
        from qwq_gguf.engine.loading.probe import installed_identity, probe

        facts = library_facts()
        found["offloads"] = facts.gpu_offload
        found["features"] = facts.cpu_features
        found["backends"], found["devices"] = backends_and_devices()
        how = probe(installed_identity(), gpu_offload=facts.gpu_offload, threads=1)
        found["amx"] = how.notes
    except QwqGgufError as error:
        # What to do about it the doctor says itself.
        found["problem"] = error.message if error.found is None else error.found
    return found


def _limited(whole: int | None) -> bool:
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return False
    return whole is not None and whole < 0.98 * pages


def _disk() -> int | None:
    try:
        return shutil.disk_usage(Path.cwd()).free
    except OSError:
        return None


def _vectors() -> int | None:
    try:
        from qwq_gguf.quantization.kernels.jit import vector_bits
    except ImportError:
        return None
    return vector_bits()


def _ollama() -> str | None:
    folder = Path(os.environ.get("OLLAMA_MODELS") or Path.home() / ".ollama" / "models")
    return str(folder) if (folder / "manifests").is_dir() else None


def _lm_studio() -> str | None:
    folder = Path.home() / ".lmstudio" / "models"
    return str(folder) if folder.is_dir() else None


if __name__ == "__main__":
    import json

    if len(sys.argv) != 2:
        raise UsageError("this is a part of `qwq-gguf doctor --fix`")
    print(json.dumps(_proof(Path(sys.argv[1]))))
