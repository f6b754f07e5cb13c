"""Which devices ggml's registry has, and of what kind (ggml-backend.h)."""

from __future__ import annotations

import ctypes

__all__ = ["CARDS", "CPU", "GPU", "IGPU", "local_devices"]

CPU, GPU, IGPU = 0, 1, 2  # enum ggml_backend_dev_type
CARDS = (GPU, IGPU)


def local_devices(ggml: ctypes.CDLL) -> list[tuple[int, int]]:
    """All devices of this machine and their kinds (enum ggml_backend_dev_type)."""
    count, get, kind = (
        getattr(ggml, f"ggml_backend_dev_{name}") for name in ("count", "get", "type")
    )
    count.restype = ctypes.c_size_t
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    kind.restype, kind.argtypes = ctypes.c_int, [ctypes.c_void_p]
    return [(handle, kind(handle)) for handle in map(get, range(count()))]
