"""Load llama.cpp: quietly, once, and only the version whose structs we know.

The bindings pass structs by value and take arguments in an order that changes between
releases (llama_sampler_init_penalties gained one in front), so a wrong version would not
fail but misbehave. Both the Python package and the library behind it are checked.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from qwq_gguf.engine.llama.local_devices import CARDS, local_devices
from qwq_gguf.engine.llama.logs import LogBuffer
from qwq_gguf.errors import LibraryError
from qwq_gguf.native import (
    INSTALL,
    REINSTALL,
    libc,
    load_libllama,
    load_registry,
    native_folder,
)

__all__ = ["SUPPORTED", "Library", "LibraryFacts", "library_facts", "load"]

# llama-cpp-python version -> what llama_version() says in the library that it builds.
SUPPORTED = {"0.3.36": "0.5.0-dev"}


@dataclass(frozen=True, slots=True)
class LibraryFacts:
    """What the installed library is and can."""

    version: str
    llama_version: str
    folder: Path
    gpu_offload: bool
    system_info: str

    @property
    def cpu_features(self) -> tuple[str, ...]:
        """What the processor's part was compiled to use: AVX2, FMA ... ("CPU : AVX2 = 1 | ...")."""
        backend, found = "", []
        for each in self.system_info.split(" | "):
            name, colon, rest = each.rpartition(" : ")
            backend = name.strip() if colon else backend
            feature, _, value = rest.partition(" = ")
            if backend == "CPU" and value.strip() == "1":
                found.append(feature.strip())
        return tuple(found)


class Library:
    """The loaded bindings (`api`) with their log. Made by `load()`."""

    def __init__(self, api: ModuleType, version: str) -> None:
        # Any: the bindings' signatures are checked at run time by their argtypes.
        self.api: Any = api
        self.version = version
        self.log = LogBuffer()
        self._callback = ctypes.cast(self.log.callback, api.llama_log_callback)
        self.listen()
        atexit.register(self._detach_log)
        api.llama_backend_init()

    def listen(self) -> None:
        """Have the native log written into `log`."""
        self.api.llama_log_set(self._callback, self.log.data)

    def _detach_log(self) -> None:
        """Point the log at C before Python goes.

        Backends log while their static objects are destroyed, after the interpreter is
        gone; a Python callback would crash there and NULL means standard error. abs(level)
        has the right shape for ignoring everything.
        """
        silent = ctypes.cast(libc().abs, self.api.llama_log_callback)
        self.api.llama_log_set(silent, None)
        self._callback = silent


_lock = threading.Lock()
_library: Library | None = None


def load() -> Library:
    """The native library; LibraryError when it is missing, broken or of another version."""
    global _library
    with _lock:
        if _library is None:
            _library = _load()
        return _library


def library_facts() -> LibraryFacts:
    """What is installed, for notes and reports."""
    library = load()
    api = library.api
    return LibraryFacts(
        version=library.version,
        llama_version=api.llama_version().decode("utf-8", "replace"),
        folder=native_folder(),
        # llama_supports_gpu_offload() says yes of every build that can compute on other machines.
        gpu_offload=any(kind in CARDS for _, kind in local_devices(load_registry())),
        system_info=api.llama_print_system_info().decode("utf-8", "replace").strip(" |"),
    )


def _load() -> Library:
    api, version = load_libllama()
    _check(api, version)
    return Library(api, version)


def _check(api: Any, version: str) -> None:
    if version not in SUPPORTED:
        raise LibraryError(
            "this version of llama-cpp-python has another native interface",
            found=version,
            expected=" or ".join(SUPPORTED),
            hint=INSTALL,
        )
    native = api.llama_version().decode("utf-8", "replace")
    if native != SUPPORTED[version]:
        raise LibraryError(
            "the native library does not belong to the installed llama-cpp-python",
            path=os.environ.get("LLAMA_CPP_LIB_PATH"),
            found=native,
            expected=SUPPORTED[version],
            hint="unset LLAMA_CPP_LIB_PATH, or " + INSTALL,
        )
    # A struct that is laid out differently shows in its defaults.
    model, context = api.llama_model_default_params(), api.llama_context_default_params()
    seen = (
        model.n_gpu_layers,
        model.use_extra_bufts,
        model.vocab_only,
        context.n_ctx,
        context.n_ubatch,
        context.flash_attn_type,
        context.yarn_ext_factor,
        context.type_k,
        context.n_samplers,
    )
    if seen != (-1, True, False, 512, 512, -1, -1.0, 1, 0):
        raise LibraryError(
            "the native library's structs are not laid out as its bindings say",
            found=seen,
            hint=REINSTALL,
        )
