"""llama-cpp-python in the environment: kept, taken from the cache, or compiled.

A GPU build that somebody made is never replaced by anything else.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from .choice import Choice
from .compiler import find_compiler
from .errors import SetupError
from .lockfile import Pin
from .process import exclusive
from .venv import Venv, Words
from .wheel import build_wheel, cached_wheel, plan_build

_RECORD = "qwq-gguf-native.json"

# What a build is for is asked of its files first: where there is no driver, one for a GPU does
# not load, or loads and says that it knows no GPU. Metal is in every build for macOS.
_INSPECT = """
import importlib.metadata, importlib.util, json, pathlib
version = importlib.metadata.version("llama-cpp-python")
spec = importlib.util.find_spec("llama_cpp")
files = pathlib.Path(spec.origin).parent.glob("lib/*ggml-*") if spec and spec.origin else ()
kinds = {file.name.partition("ggml-")[2].partition(".")[0] for file in files}
gpu = bool(kinds & {"cuda", "hip", "musa", "opencl", "sycl", "vulkan"})
print(json.dumps({"version": version, "gpu": gpu, "loads": False}))
import llama_cpp
if not gpu and llama_cpp.llama_supports_gpu_offload():
    # It says yes of every build that can compute on other machines, too.
    import ctypes
    from llama_cpp import _ggml
    find = _ggml.libggml.ggml_backend_dev_by_type
    find.restype, find.argtypes = ctypes.c_void_p, [ctypes.c_int]
    gpu = any(find(kind) for kind in (1, 2))  # GGML_BACKEND_DEVICE_TYPE_GPU, ..._IGPU
print(json.dumps({"version": version, "gpu": gpu, "loads": True}))
"""


class Action(Enum):
    """What to do about llama-cpp-python."""

    KEEP = "keep"
    KEEP_GPU = "keep, although CMAKE_ARGS asks for another build"
    INSTALL = "install"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Installed:
    """What an environment has now."""

    version: str | None = None
    loads: bool = False
    gpu: bool = False
    recorded: Recorded | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What we installed last, if it was us."""

    version: str
    cmake_args: str
    target: str


def decide(installed: Installed, pinned: str, cmake_args: str, target: str) -> Action:
    """Keep or install?

    `target` is what the compiler would build for now, empty where there is no compiler.
    """
    if installed.version is None:
        return Action.INSTALL
    ours = installed.recorded
    if ours is not None and ours.version != installed.version:
        ours = None
    if installed.version != pinned or not installed.loads:
        foreign_gpu = installed.gpu and ours is None and not cmake_args
        return Action.REFUSE if foreign_gpu else Action.INSTALL
    if ours and target and ours.target != target and not installed.gpu:
        return Action.INSTALL  # another CPU than it was built for: it may lack instructions
    if not cmake_args or (ours and ours.cmake_args == cmake_args):
        return Action.KEEP
    return Action.KEEP_GPU if installed.gpu else Action.INSTALL


def inspect(venv: Venv) -> Installed:
    """What is there, found out in a process of its own: a wrong library may crash."""
    done = subprocess.run(
        [venv.python, "-c", _INSPECT], capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    if not lines:
        return Installed()
    facts = json.loads(lines[-1])
    return Installed(
        version=facts["version"],
        loads=done.returncode == 0 and facts["loads"],
        gpu=facts["gpu"],
        recorded=_recorded(venv),
    )


def ensure(
    venv: Venv,
    pin: Pin,
    *,
    tools: Path,
    cache: Path,
    environment: Mapping[str, str],
    choice: Callable[[], Choice] = Choice,
) -> str:
    """Have the pinned release in `venv`; returns what was done, in words.

    `tools` is the lock file of what compiles it. `choice` is asked how, where nobody has said it
    and nothing is there.
    """
    installed = inspect(venv)
    chosen = Choice()
    if installed.version is None and not environment.get("CMAKE_ARGS"):
        chosen = choice()
        environment = {**environment, "CMAKE_ARGS": chosen.cmake_args}
    if installed.recorded and not environment.get("CMAKE_ARGS"):
        # Whatever has to be built anew is built the way it was.
        environment = {**environment, "CMAKE_ARGS": installed.recorded.cmake_args}
    cmake_args = environment.get("CMAKE_ARGS", "")
    try:
        compiler = find_compiler(environment)
    except SetupError as error:
        compiler, no_compiler = None, error
    action = decide(installed, pin.version, cmake_args, compiler.target if compiler else "")
    if action is Action.REFUSE:
        trouble = f"this version of qwq-gguf needs {pin.version}"
        first = ""
        if installed.version == pin.version:
            trouble = "it does not load"
            first = "see that the GPU's driver and libraries are there, or "
        raise SetupError(
            f".venv has llama-cpp-python {installed.version}, built for a GPU; {trouble}",
            hint=f"{first}run this again with the CMAKE_ARGS it was built with, "
            "for example: CMAKE_ARGS=-DGGML_CUDA=on ./scripts/demo",
        )
    if action is Action.KEEP:
        return f"kept what is there{', a GPU build' if installed.gpu else ''}"
    if action is Action.KEEP_GPU:
        return (
            "kept what is there, a GPU build; to build it anew with CMAKE_ARGS, "
            f"first run: {venv.python} -m pip uninstall llama-cpp-python"
        )
    if compiler is None:
        raise no_compiler

    build = plan_build(pin, compiler, environment)
    log = cache / "logs" / f"llama-cpp-python-{build.key}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    for attempt in ("first", "second"):
        with exclusive(cache / "wheels" / f"{build.key}.lock", "another build of llama-cpp-python"):
            wheel = cached_wheel(cache, build)
            done = "took llama-cpp-python from the cache of wheels"
            if wheel is None:
                wheel = build_wheel(build, pin, tools, cache, log, environment)
                done = f"built llama-cpp-python {pin.version}"
        command: Words = ["install", "--no-deps", "--no-index", "--force-reinstall", wheel]
        venv.pip(command, log=log)
        if inspect(venv).loads:
            break
        wheel.unlink()  # a system library that it was linked to is gone, say
        if attempt == "second" or done.startswith("built"):
            raise SetupError("llama-cpp-python was built, but does not load", hint=f"see {log}")
    recorded = Recorded(pin.version, cmake_args, build.target)
    (venv.folder / _RECORD).write_text(json.dumps(asdict(recorded)), encoding="utf-8")
    return f"{done} ({chosen.told})" if chosen.told else done


def _recorded(venv: Venv) -> Recorded | None:
    try:
        return Recorded(**json.loads((venv.folder / _RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
