"""How the kernels are compiled: numba, set up before anything imports it.

Every kernel keeps float32's own rounding (no fast-math, hence no fused multiply-add) and
releases the interpreter lock. Machine code is kept in the user's cache folder, under a
name that changes with the sources, because numba looks only at the file of the function
itself. numba unpickles what it finds there, which can run anything: so nothing is read from
a folder in which another user could have put it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, ParamSpec, TypeVar, cast

from qwq_gguf.resources import own_cache

__all__ = ["compiled", "kernel", "native", "native_literal"]

P = ParamSpec("P")
R = TypeVar("R")


def vector_bits() -> int:
    """How many bits compiled kernels compute with at a time, of what this processor has."""
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    wide = os.environ.get("NUMBA_CPU_FEATURES", "")
    if features.get("avx512f") and "-prefer-256-bit" in wide:
        return 512
    return 256 if features.get("avx2") else 128


def _ask_for_wide_vectors() -> None:
    """LLVM avoids 512-bit registers where they once lowered the clock; here they pay.

    NUMBA_CPU_NAME and NUMBA_CPU_FEATURES of the environment are obeyed as ever.
    """
    if "numba" in sys.modules or {"NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"} & set(os.environ):
        return
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    if features.get("avx512f"):
        os.environ["NUMBA_CPU_FEATURES"] = f"{features.flatten()},-prefer-256-bit"


_ask_for_wide_vectors()

import numba  # noqa: E402
import numba.extending  # noqa: E402
from numba.core import config  # noqa: E402

_NOT_COMPILED = {
    *("__init__.py", "block_makers.py", "dispatch.py", "ggml.py", "reference_bytes.py"),
    *("mxfp4.py", "packed_numbers.py", "scaled_bytes.py"),
}
_settings_lock = Lock()
_OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": False, "error_model": "numpy"}


@cache
def _code_folder() -> Path | None:
    """Where machine code made from these very sources belongs; None where none can be kept."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        if source.name in _NOT_COMPILED:
            continue
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    folder = own_cache("kernels", digest.hexdigest()[:16])
    return folder if folder is not None and _only_files(folder) else None


def _only_files(folder: Path) -> bool:
    """Whether nothing in it, and in the folders numba makes there, would make us wait."""
    try:
        inside = [*folder.glob("*"), *folder.glob("*/*")]
        return all(path.is_dir() or path.is_file() for path in inside)
    except OSError:
        return False


def native(build: Callable[..., Any], literal: bool = False) -> Callable[..., Any]:
    """A function for compiled code that is written in LLVM's terms: numba's `intrinsic`.

    `literal` tells it the numbers written in a call, not only their types.
    """
    made: Callable[..., Any] = numba.extending.intrinsic(prefer_literal=literal)(build)
    return made


def native_literal(build: Callable[..., Any]) -> Callable[..., Any]:
    """As `native`, for functions of which some argument is known when compiling."""
    return native(build, literal=True)


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """A part of a kernel: compiled into whatever calls it."""
    made: Callable[P, R] = numba.njit(forceinline=True, **_OPTIONS)(function)
    return made


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """A whole kernel: compiled at its first call for each type of array, and remembered."""
    made: Any = numba.njit(**_OPTIONS)(function)
    folder = _code_folder()
    if folder is None:
        return cast("Callable[P, R]", made)
    settings = vars(config)  # numba reads where to cache when caching is enabled
    with _settings_lock:  # two threads may import two kernels at once
        previous = settings["CACHE_DIR"]
        try:
            settings["CACHE_DIR"] = str(folder)
            made.enable_caching()
        except (OSError, RuntimeError):
            pass  # no folder can be written: it is compiled anew in each process
        finally:
            settings["CACHE_DIR"] = previous
    ready: Callable[P, R] = made
    return ready
