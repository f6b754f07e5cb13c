"""Which build of llama-cpp-python a computer needs, and the commands that bring it. Pure.

Wheels come from llama-cpp-python's own index. What it has and what that asks for is in the
project's README (https://github.com/abetlen/llama-cpp-python, "Supported Backends"); pip would
take newer sources instead of a wheel of that index, so it is told not to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from qwq_gguf.machine.driver_reports import Gpu
from qwq_gguf.machine.installed import Installed
from qwq_gguf.machine.recording import Recording
from qwq_gguf.missing_libraries import cure_of

__all__ = [
    "Remedy",
    "cuda_of_driver",
    "cuda_of_toolkit",
    "has_compiler",
    "remedy_for",
    "unused_features",
]

_INDEX = "https://abetlen.github.io/llama-cpp-python/whl"
_CUDA_WHEELS = ((13, 2), (13, 0), (12, 5), (12, 4), (12, 3), (12, 2), (12, 1), (11, 8))
# As /proc/cpuinfo has them and as llama.cpp does: without these it takes several times as long.
_FEATURES = {"avx2": "AVX2", "asimddp": "DOTPROD"}
_WHEEL_PYTHONS = ("3.10", "3.11", "3.12")
_SLOW_REST = (
    "its code for the processor is plain (no AVX2), so layers that do not go to the card are slow; "
    "a build from sources has all of it"
)


@dataclass(frozen=True, slots=True)
class Remedy:
    """A build for `build` (CUDA, HIP, Metal, Vulkan, CPU), and how to have it.

    `arguments` are what pip and uv have in common, `cmake` what CMAKE_ARGS is to be for a build
    from sources ("" for a wheel). `notes` are for people; `again`: in place of what is there;
    `ready`: all that building it takes is here.
    """

    build: str
    cmake: str
    index: str
    requirement: str
    notes: tuple[str, ...] = ()
    again: bool = True
    ready: bool = True

    @property
    def pip_arguments(self) -> tuple[str, ...]:
        """What stands behind `pip install`."""
        common = ("--force-reinstall", "--no-deps", "--no-cache-dir") if self.again else ()
        if self.index:
            wheel = ("--only-binary", "llama-cpp-python", "--extra-index-url", self.index)
            return (*common, *wheel, self.requirement)
        return (*common, "--no-binary", "llama-cpp-python", self.requirement)

    def commands(self, system: str) -> tuple[str, str]:
        """What to type, with pip and with uv."""
        pip = "pip install " + " ".join(self.pip_arguments)
        uv = "uv pip install "
        if self.again:
            uv += "--reinstall-package llama-cpp-python --no-deps --no-cache "
        uv += (
            f"--only-binary llama-cpp-python --extra-index-url {self.index} {self.requirement}"
            if self.index
            else f"--no-binary llama-cpp-python {self.requirement}"
        )
        if not self.cmake:
            return pip, uv
        if system == "win32":
            begin = f'$env:CMAKE_ARGS="{self.cmake}"; '
        else:
            begin = f'CMAKE_ARGS="{self.cmake}" '
        return begin + pip, begin + uv


def remedy_for(seen: Recording, installed: Installed, gpus: Sequence[Gpu]) -> Remedy | None:
    """What to install; None where what is there uses all there is, or nothing would."""
    works = installed.version == installed.wanted and installed.problem is None
    for gpu in gpus:
        if works and _used(gpu, installed):
            continue
        found = _for_card(gpu, gpus, seen, installed)
        if found is not None:
            return found
    if installed.version == installed.wanted and cure_of(installed.problem or ""):
        return None  # not the build is wrong, but what it needs of the system is missing
    if not works:
        return _for_processor(seen, installed)
    if gpus or not unused_features(seen, installed) or not has_compiler(seen):
        return None
    # Said outright: where SOURCE_DATE_EPOCH is set, it is not what llama.cpp takes by itself.
    return _sources("CPU", "-DGGML_NATIVE=on", installed, ())


def unused_features(seen: Recording, installed: Installed) -> tuple[str, ...]:
    """What this processor can, and what llama.cpp was compiled without."""
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", seen.file("proc/cpuinfo") or "", re.M)
    have = set(flags[1].split()) if flags else set()
    if not installed.features:
        return ()
    lost = (name for flag, name in _FEATURES.items() if flag in have)
    return tuple(name for name in lost if name not in installed.features)


def cuda_of_driver(seen: Recording) -> tuple[int, int] | None:
    """The newest CUDA that the driver knows: nvidia-smi writes it over its table."""
    return _version(r"CUDA Version:\s*(\d+)\.(\d+)", seen.output("nvidia-smi-plain").out)


def cuda_of_toolkit(seen: Recording) -> tuple[int, int] | None:
    """The CUDA whose compiler is here."""
    said = seen.output("nvcc")
    return _version(r"release (\d+)\.(\d+)", said.out) if said.good else None


def has_compiler(seen: Recording) -> bool:
    """Whether C++ can be compiled here."""
    return seen.output("c++").good or seen.output("cl").status is not None


def _used(gpu: Gpu, installed: Installed) -> bool:
    if not installed.offloads:
        return False
    wanted = {"NVIDIA": ("CUDA",), "AMD": ("ROCM", "HIP"), "Apple": ("METAL", "MTL")}[gpu.maker]
    told = " ".join((*installed.devices, *installed.backends)).upper()
    return any(word in told for word in (*wanted, "VULKAN"))


def _for_card(
    gpu: Gpu, gpus: Sequence[Gpu], seen: Recording, installed: Installed
) -> Remedy | None:
    if gpu.maker == "NVIDIA":
        alike = [each for each in gpus if each.maker == "NVIDIA"]
        return _cuda(alike, seen, installed)
    if gpu.maker == "AMD":
        return _amd([each for each in gpus if each.maker == "AMD"], seen, installed)
    if seen.output("xcode-select").good or not _wheels_fit(installed):
        return _sources("Metal", "-DGGML_METAL=on", installed, _compiler_note(seen))
    return _wheel("Metal", "metal", installed)


def _cuda(gpus: Sequence[Gpu], seen: Recording, installed: Installed) -> Remedy | None:
    toolkit, driver = cuda_of_toolkit(seen), cuda_of_driver(seen)
    codes = sorted({gpu.compute.replace(".", "") for gpu in gpus if gpu.compute})
    if toolkit is not None and has_compiler(seen):
        cmake = "-DGGML_CUDA=on"
        if codes:
            cmake += f" -DCMAKE_CUDA_ARCHITECTURES={';'.join(codes)}"
        notes = ["it compiles for this card alone, which takes some minutes"]
        if driver is not None and toolkit[0] > driver[0]:
            notes.append(
                f"the toolkit is CUDA {_dotted(toolkit)} and the driver knows {_dotted(driver)}: "
                "get a newer driver first"
            )
        return _sources("CUDA", cmake, installed, tuple(notes))
    found = _cuda_wheel(driver, gpus)
    if found is not None and _wheels_fit(installed):
        runtime = (
            f"it loads CUDA {found[0]}'s libraries (libcudart, libcublas); if they are missing, "
            "NVIDIA's packages have them: https://developer.nvidia.com/cuda-downloads"
        )
        return _wheel("CUDA", f"cu{found[0]}{found[1]}", installed, (_SLOW_REST, runtime))
    note = "there is no wheel for it: install NVIDIA's CUDA toolkit (nvcc) and a C++ compiler first"
    return replace(_sources("CUDA", "-DGGML_CUDA=on", installed, (note,)), ready=False)


def _cuda_wheel(driver: tuple[int, int] | None, gpus: Sequence[Gpu]) -> tuple[int, int] | None:
    """The newest wheel that driver and cards can run."""
    codes = [float(gpu.compute) for gpu in gpus if gpu.compute and _is_number(gpu.compute)]
    for wheel in _CUDA_WHEELS:
        if driver is None or wheel > driver:
            continue
        least = 7.5 if wheel[0] == 13 else 6.0
        most = 8.9 if wheel[0] == 11 else 99.0
        if all(least <= code <= most for code in codes):
            return wheel
    return None


def _amd(gpus: Sequence[Gpu], seen: Recording, installed: Installed) -> Remedy | None:
    codes = sorted({gpu.compute for gpu in gpus if gpu.compute})
    if seen.output("hipconfig").good:
        cmake = "-DGGML_HIP=on"
        if codes:
            cmake += f" -DAMDGPU_TARGETS={';'.join(codes)}"
        made = _sources("HIP", cmake, installed, _compiler_note(seen))
        return replace(made, ready=has_compiler(seen))
    if seen.output("vulkaninfo").good and _wheels_fit(installed):
        note = "ROCm is not installed, and Vulkan needs none"
        return _wheel("Vulkan", "vulkan", installed, (note, _SLOW_REST))
    if _wheels_fit(installed) and seen.system == "linux":
        note = "it needs ROCm 7.2: https://rocm.docs.amd.com/projects/install-on-linux"
        return _wheel("HIP", "rocm72", installed, (note, _SLOW_REST))
    return None


def _for_processor(seen: Recording, installed: Installed) -> Remedy:
    if has_compiler(seen) or not _wheels_fit(installed):
        cmake = ""
        if "amx_tile" in (seen.file("proc/cpuinfo") or "") and installed.amx:
            cmake = "-DGGML_NATIVE=off"
        return _sources("CPU", cmake, installed, _compiler_note(seen))
    return _wheel("CPU", "cpu", installed)


def _sources(build: str, cmake: str, installed: Installed, notes: tuple[str, ...]) -> Remedy:
    again = installed.version is not None
    return Remedy(build, cmake, "", _requirement(installed), notes, again)


def _wheel(build: str, folder: str, installed: Installed, notes: tuple[str, ...] = ()) -> Remedy:
    again = installed.version is not None
    return Remedy(build, "", f"{_INDEX}/{folder}", _requirement(installed), notes, again)


def _requirement(installed: Installed) -> str:
    return f"llama-cpp-python=={installed.wanted}"


def _compiler_note(seen: Recording) -> tuple[str, ...]:
    if has_compiler(seen):
        return ()
    tool = {"darwin": "xcode-select --install", "win32": "Visual Studio's build tools"}
    return (f"it needs a C++ compiler: {tool.get(seen.system, 'g++ or clang++')}",)


def _wheels_fit(installed: Installed) -> bool:
    return ".".join(installed.python.split(".")[:2]) in _WHEEL_PYTHONS


def _version(pattern: str, text: str) -> tuple[int, int] | None:
    found = re.search(pattern, text)
    return (int(found[1]), int(found[2])) if found else None


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"\d{1,3}(\.\d{1,2})?", text))
