"""What is right and what is wrong with a computer for running models, in plain words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from qwq_gguf.machine.driver_reports import Gpu, gpus_of
from qwq_gguf.machine.installed import Installed
from qwq_gguf.machine.recording import Recording
from qwq_gguf.machine.remedies import (
    Remedy,
    cuda_of_driver,
    cuda_of_toolkit,
    has_compiler,
    remedy_for,
    unused_features,
)
from qwq_gguf.missing_libraries import cure_of
from qwq_gguf.words import human_bytes, one_line, some

__all__ = ["BROKEN", "GOOD", "MISSING", "Diagnosis", "Finding", "diagnose"]

GOOD, MISSING, BROKEN = "good", "missing", "broken"
_SCHEMA = "qwq-gguf/doctor/1"
_FEATURES = ("avx2", "fma", "f16c", "avx512f", "amx_tile", "asimddp", "i8mm", "sve")
_LITTLE_DISK, _LITTLE_MEMORY = 20 << 30, 4 << 30
_SMI_BROKEN = (
    ("version mismatch", "the driver was updated while it was in use: restart the computer"),
    ("couldn't communicate", "the driver's kernel module is not loaded: reinstall the driver"),
    ("no devices were found", "the driver finds no card: look whether it is seated and powered"),
    ("", "reinstall NVIDIA's driver: https://www.nvidia.com/drivers"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about a `topic`: it is good, missing or broken; `cure` is what to do."""

    topic: str
    state: str
    text: str
    cure: str | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, the cards, and the build to install, None where none would do more."""

    findings: tuple[Finding, ...]
    gpus: tuple[Gpu, ...]
    remedy: Remedy | None
    system: str

    @property
    def well(self) -> bool:
        """Whether nothing is broken and nothing has to be installed."""
        return self.remedy is None and all(each.state != BROKEN for each in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The same for `--json`."""
        pip, uv = self.remedy.commands(self.system) if self.remedy else (None, None)
        return {
            "schema": _SCHEMA,
            "well": self.well,
            "findings": [
                {"topic": each.topic, "state": each.state, "text": each.text, "cure": each.cure}
                for each in self.findings
            ],
            "cards": [
                {
                    "maker": gpu.maker,
                    "name": gpu.name,
                    "memory": gpu.memory,
                    "free": gpu.free,
                    "compute": gpu.compute,
                    "driver": gpu.driver,
                }
                for gpu in self.gpus
            ],
            "remedy": None
            if self.remedy is None
            else {
                "build": self.remedy.build,
                "from": "wheel" if self.remedy.index else "sources",
                "pip": pip,
                "uv": uv,
                "notes": list(self.remedy.notes),
            },
        }


def diagnose(seen: Recording, installed: Installed) -> Diagnosis:
    """What a recording of a computer means."""
    gpus = gpus_of(seen)
    findings = (
        _system(seen),
        *_processor(seen, installed),
        *_memory(installed),
        *_cards(seen, gpus),
        *_tools(seen, gpus),
        *_library(seen, installed, gpus),
        *_others(seen, installed),
    )
    return Diagnosis(findings, gpus, remedy_for(seen, installed, gpus), seen.system)


def _system(seen: Recording) -> Finding:
    name = seen.system
    if seen.system == "linux":
        found = re.search(r'^PRETTY_NAME="?([^"\n]*)', seen.file("etc/os-release") or "", re.M)
        name = one_line(found[1]) if found else "Linux"
        if "microsoft" in (seen.file("proc/version") or "").lower():
            name += " in WSL"
        if _container(seen):
            name += " in a container"
    elif seen.system == "darwin":
        name = f"macOS {one_line(seen.output('sw_vers').out.strip())}".rstrip()
    elif seen.system == "win32":
        name = "Windows"
    return Finding("system", GOOD, f"{name}, {seen.processor}")


def _container(seen: Recording) -> bool:
    if seen.file(".dockerenv") is not None or seen.file("run/.containerenv") is not None:
        return True
    return any(word in (seen.file("proc/1/cgroup") or "") for word in ("docker", "kubepods", "lxc"))


def _processor(seen: Recording, installed: Installed) -> Iterator[Finding]:
    text = seen.file("proc/cpuinfo") or ""
    model = re.search(r"^model name\s*:\s*(.*)$", text, re.M)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text, re.M)
    have = set(flags[1].split()) if flags else set()
    known = [name for name in _FEATURES if name in have]
    named = one_line(model[1], 80) if model else seen.processor
    told = f"{named}: {installed.cores} of its cores can be used"
    if known:
        told += f", with {', '.join(known)}"
    yield Finding("processor", GOOD, told)
    if flags and seen.processor in ("x86_64", "AMD64") and "avx2" not in have:
        yield Finding("processor", MISSING, "it has no AVX2, so all is slow on it")
    for line in installed.amx:
        yield Finding(
            "processor",
            BROKEN,
            one_line(line, 200),
            "the build is used without those kernels; one without AMX is faster: "
            "CFLAGS and CXXFLAGS with -mno-amx-tile -mno-amx-int8 -mno-amx-bf16",
        )


def _memory(installed: Installed) -> Iterator[Finding]:
    if installed.memory is not None:
        limit = ", by the limit of its group or container" if installed.limited else ""
        free = installed.memory if installed.free is None else installed.free
        state = GOOD if free >= _LITTLE_MEMORY else MISSING
        text = f"{human_bytes(free)} of {human_bytes(installed.memory)} are free{limit}"
        yield Finding("memory", state, text)
    if installed.disk is not None:
        state = GOOD if installed.disk >= _LITTLE_DISK else MISSING
        yield Finding("disk", state, f"{human_bytes(installed.disk)} are free for models")


def _cards(seen: Recording, gpus: Sequence[Gpu]) -> Iterator[Finding]:
    smi = seen.output("nvidia-smi")
    hidden = True
    if smi.status not in (None, 0):
        said = " ".join((smi.out + " " + smi.err).split())
        cure = next(cure for sign, cure in _SMI_BROKEN if sign in said.lower())
        yield Finding("card", BROKEN, f"NVIDIA's driver does not work: {one_line(said, 160)}", cure)
    elif smi.status is None and seen.file("proc/driver/nvidia/version") is not None:
        cure = (
            "give the container its tools: docker run --gpus all, with NVIDIA's Container Toolkit"
        )
        if not _container(seen):
            cure = "install nvidia-smi, which comes with the driver's utilities"
        yield Finding("card", BROKEN, "NVIDIA's driver is there, and its tools are not", cure)
    elif smi.status is None and seen.file("usr/lib/wsl/lib/nvidia-smi") is not None:
        yield Finding(
            "card",
            BROKEN,
            "Windows gives a card to this WSL, and its tools are not on PATH",
            "export PATH=$PATH:/usr/lib/wsl/lib",
        )
    else:
        hidden = False
    for gpu in gpus:
        yield Finding("card", GOOD, _card(gpu, seen))
    if not gpus and not hidden:
        yield Finding(
            "card", MISSING, "no card that a driver tells of: models run on the processor"
        )


def _card(gpu: Gpu, seen: Recording) -> str:
    parts = [one_line(gpu.name, 80)]
    if gpu.memory is not None:
        free = "" if gpu.free is None else f"{human_bytes(gpu.free)} of "
        parts.append(
            f"{free}{human_bytes(gpu.memory)} for models" if gpu.free is not None else free
        )
    if gpu.compute is not None:
        parts.append(f"compute {gpu.compute}" if gpu.maker == "NVIDIA" else gpu.compute)
    if gpu.driver is not None:
        newest = cuda_of_driver(seen) if gpu.maker == "NVIDIA" else None
        cuda = f" (CUDA up to {newest[0]}.{newest[1]})" if newest else ""
        parts.append(f"driver {gpu.driver}{cuda}")
    if gpu.maker == "Apple":
        parts.append(
            "a program may have that much of the memory; `sudo sysctl iogpu.wired_limit_mb=N` "
            "allows more until the next start, at the system's cost"
        )
    return ", ".join(part for part in parts if part)


def _tools(seen: Recording, gpus: Sequence[Gpu]) -> Iterator[Finding]:
    said = seen.output("c++")
    first = one_line(said.out.splitlines()[0], 80) if said.out.strip() else "it answers"
    if has_compiler(seen):
        yield Finding("compiler", GOOD, first if said.good else "Visual Studio's")
    else:
        yield Finding("compiler", MISSING, "no C++ compiler: only wheels can be installed")
    makers = {gpu.maker for gpu in gpus}
    if "NVIDIA" in makers:
        toolkit = cuda_of_toolkit(seen)
        text = f"CUDA {toolkit[0]}.{toolkit[1]}" if toolkit else "no CUDA toolkit (nvcc)"
        yield Finding("toolkit", GOOD if toolkit else MISSING, text)
    if "AMD" in makers:
        hip = seen.output("hipconfig")
        text = f"ROCm {one_line(hip.out.strip(), 40)}" if hip.good else "no ROCm (hipconfig)"
        yield Finding("toolkit", GOOD if hip.good else MISSING, text)
    if makers - {"Apple"} and seen.output("vulkaninfo").status is not None:
        works = seen.output("vulkaninfo").good
        text = "Vulkan works" if works else "Vulkan is there, and does not work"
        yield Finding("vulkan", GOOD if works else MISSING, text)


def _library(seen: Recording, installed: Installed, gpus: Sequence[Gpu]) -> Iterator[Finding]:
    yield Finding("python", GOOD, installed.python)
    if not installed.virtual:
        yield Finding(
            "python", MISSING, "no virtual environment: what is installed now is everybody's"
        )
    if installed.version is None:
        yield Finding("llama.cpp", MISSING, "llama-cpp-python is not installed")
        return
    told = f"llama-cpp-python {installed.version}"
    if installed.problem is not None:
        why = one_line(installed.problem, 300)
        cure = cure_of(installed.problem)
        yield Finding("llama.cpp", BROKEN, f"{told} does not load: {why}", cure)
        return
    if installed.version != installed.wanted:
        yield Finding("llama.cpp", BROKEN, f"{told}, and this program needs {installed.wanted}")
        return
    if installed.backends:
        told += f", built for {some(installed.backends, 8)}"
    cards = [name for name in installed.devices if not name.upper().startswith("CPU")]
    if cards:
        yield Finding("llama.cpp", GOOD, f"{told}; it sees {some(cards, 8)}")
    elif gpus:
        lacks = "sees no card" if installed.offloads else "cannot use a card"
        yield Finding("llama.cpp", BROKEN, f"{told}; it {lacks}")
    else:
        yield Finding("llama.cpp", GOOD, told)
    for name in unused_features(seen, installed):
        yield Finding(
            "llama.cpp",
            MISSING if cards else BROKEN,
            f"its code for the processor uses no {name}, which this processor has: "
            f"{'layers outside the card are' if cards else 'all is'} several times as slow",
            _cure_of_plain_code(seen, gpus),
        )
    if installed.vectors is not None:
        yield Finding("quantizing", GOOD, f"numba computes with {installed.vectors} bits at a time")


def _cure_of_plain_code(seen: Recording, gpus: Sequence[Gpu]) -> str | None:
    """What to do where no command of ours does it."""
    if not has_compiler(seen):
        return "install a C++ compiler, then look again: a build from sources has it"
    if gpus:
        return "a build from sources has it: --no-binary llama-cpp-python, CMAKE_ARGS for the card"
    return None


def _others(seen: Recording, installed: Installed) -> Iterator[Finding]:
    ollama = seen.output("ollama")
    if ollama.status is not None or installed.ollama is not None:
        version = re.search(r"(\d+\.\d+\.\d+\S*)", ollama.out + ollama.err)
        where = f", models in {one_line(installed.ollama, 120)}" if installed.ollama else ""
        yield Finding("ollama", GOOD, f"Ollama {version[1] if version else ''}".rstrip() + where)
    if installed.lm_studio is not None:
        yield Finding("lm studio", GOOD, f"models in {one_line(installed.lm_studio, 120)}")
