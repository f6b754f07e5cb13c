"""Which backends the installed ggml has, and which devices they see (ggml-backend.h)."""

from __future__ import annotations

import ctypes

from qwq_gguf.engine.llama.library import load
from qwq_gguf.native import load_registry

__all__ = ["backends_and_devices"]

_MOST = 64
_LEFT_OUT = frozenset({"BLAS"})  # helps the processor, and is no device of its own


def backends_and_devices() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the backends, and of the devices with what they call themselves.

    LibraryError where llama.cpp cannot be loaded.
    """
    load()
    ggml = load_registry()
    return (
        tuple(_names(ggml, "reg", ("name",))),
        tuple(name for name in _names(ggml, "dev", ("name", "description"))),
    )


def _names(ggml: ctypes.CDLL, kind: str, parts: tuple[str, ...]) -> list[str]:
    count = getattr(ggml, f"ggml_backend_{kind}_count")
    count.restype = ctypes.c_size_t
    get = getattr(ggml, f"ggml_backend_{kind}_get")
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    found = []
    for number in range(min(count(), _MOST)):
        handle = get(number)
        texts = []
        for part in parts:
            ask = getattr(ggml, f"ggml_backend_{kind}_{part}")
            ask.restype, ask.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
            texts.append((ask(handle) or b"").decode("utf-8", "replace"))
        if texts[0] not in _LEFT_OUT:
            found.append(f"{texts[0]} ({texts[1]})" if len(texts) > 1 else texts[0])
    return found
