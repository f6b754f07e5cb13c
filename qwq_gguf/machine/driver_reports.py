"""The cards of a computer, from what its drivers say of them. Pure.

NVIDIA's nvidia-smi is the same library (NVML) as nvidia-ml-py, without a package to install:
https://docs.nvidia.com/deploy/nvidia-smi/index.html. AMD's are read where the kernel's driver
tells of them: https://docs.kernel.org/gpu/amdgpu/driver-misc.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qwq_gguf.machine.devices import MIB
from qwq_gguf.machine.recording import Recording

__all__ = ["Gpu", "gpus_of"]

_AMD = "0x1002"
_NODES = "sys/class/kfd/kfd/topology/nodes/"


@dataclass(frozen=True, slots=True)
class Gpu:
    """A card: bytes of memory and how many are free, None where nobody says.

    `compute` is what code has to be compiled for (8.6, gfx1100).
    """

    maker: str
    name: str
    memory: int | None = None
    free: int | None = None
    compute: str | None = None
    driver: str | None = None


def gpus_of(seen: Recording) -> tuple[Gpu, ...]:
    """All cards that a computer's drivers tell of."""
    if seen.system == "darwin":
        return tuple(_apple(seen))
    return (*_nvidia(seen), *_amd(seen))


def _nvidia(seen: Recording) -> Iterator[Gpu]:
    said = seen.output("nvidia-smi")
    if not said.good:
        return
    for line in said.out.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) != 6 or not parts[0].isdecimal():
            continue
        _, name, memory, free, compute, driver = parts
        # "[N/A]" where the memory is the processor's (Grace, Jetson, DGX Spark).
        yield Gpu("NVIDIA", name, _mib(memory), _mib(free), _known(compute), _known(driver))


def _amd(seen: Recording) -> Iterator[Gpu]:
    targets = []
    for text in seen.below(_NODES, "/properties").values():
        values = dict(line.split(None, 1) for line in text.splitlines() if len(line.split()) == 2)
        # A node without SIMD units is the processor itself.
        if values.get("simd_count", "0") != "0":
            targets.append(_target(values.get("gfx_target_version", "")))
    folders = [
        path.removesuffix("vendor")
        for path, text in seen.below("sys/class/drm/card", "/device/vendor").items()
        if text.strip().lower() == _AMD
    ]
    for number, folder in enumerate(folders):
        total = _number(seen.file(f"{folder}mem_info_vram_total"))
        used = _number(seen.file(f"{folder}mem_info_vram_used")) or 0
        name = (seen.file(f"{folder}product_name") or "").strip() or "AMD GPU"
        yield Gpu(
            "AMD",
            name,
            total,
            None if total is None else max(0, total - used),
            targets[number] if number < len(targets) else None,
            (seen.file("sys/module/amdgpu/version") or "").strip() or None,
        )


def _target(version: str) -> str | None:
    """gfx1100 of 110000: two digits each but the first, the last two in base 16."""
    if not version.isdecimal() or not int(version):
        return None
    number = int(version)
    return f"gfx{number // 10000}{number // 100 % 100:x}{number % 100:x}"


def _apple(seen: Recording) -> Iterator[Gpu]:
    if seen.processor != "arm64":
        return
    values = {}
    for line in seen.output("sysctl").out.splitlines():
        key, _, value = line.partition(":")
        values[key.strip()] = value.strip()
    memory = _number(values.get("hw.memsize"))
    limit = _number(values.get("iogpu.wired_limit_mb"))
    free = None
    if memory is not None:
        # Metal's own limit, unless the user has set one: two thirds, three quarters of much.
        free = limit * MIB if limit else int(memory * (2 / 3 if memory <= 36 << 30 else 3 / 4))
    yield Gpu("Apple", values.get("machdep.cpu.brand_string", "Apple GPU"), memory, free)


def _mib(text: str) -> int | None:
    return int(text) * MIB if text.isdecimal() else None


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isdecimal() else None


def _known(text: str) -> str | None:
    return None if not text or text.startswith("[") else text
