"""What to do where a build of llama.cpp lacks a library of the system's. Pure."""

from __future__ import annotations

import re

__all__ = ["cure_of"]

# As the loader names them: in Linux's words, which say the file that is missing.
_MISSING = re.compile(r"(lib[\w+-]+)\.so[.\d]*: cannot open shared object")
_CUDA = (
    "install CUDA's libraries of the version that it was built with, or let LD_LIBRARY_PATH lead "
    "to them"
)
_ROCM = "install ROCm, or let LD_LIBRARY_PATH lead to its lib folder"
_CURES = {
    "libcuda": "this build is for NVIDIA's cards, and their driver is not here: install it; a "
    "container is given it by `docker run --gpus all`",
    "libcudart": _CUDA,
    "libcublas": _CUDA,
    "libcublasLt": _CUDA,
    "libamdhip64": _ROCM,
    "libhipblas": _ROCM,
    "librocblas": _ROCM,
    "libvulkan": "install Vulkan's loader (libvulkan1, vulkan-loader)",
    "libgomp": "install GCC's OpenMP (libgomp1, libgomp)",
    "libstdc++": "install the C++ library (libstdc++6, libstdc++)",
}


def cure_of(said: str) -> str | None:
    """What to do about what a loader said; None where it said something else."""
    found = _MISSING.search(said)
    return None if found is None else _CURES.get(found[1])
