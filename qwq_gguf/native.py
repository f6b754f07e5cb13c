"""Where the native libraries are, and loading them: libggml alone, or libllama with its bindings.

Both come with the llama-cpp-python release that is pinned. Whoever gets one here checks that it
is what was written for (`engine/llama/library.py`, `quantization/kernels/ggml.py`): a wrong library
must be an error, not wrong bytes.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from qwq_gguf.errors import LibraryError
from qwq_gguf.missing_libraries import cure_of

__all__ = [
    "INSTALL",
    "REINSTALL",
    "backend_names",
    "bindings_version",
    "libc",
    "load_libggml",
    "load_libllama",
    "load_registry",
    "load_rpc",
    "native_files",
]

INSTALL = "pip install llama-cpp-python==0.3.36"
REINSTALL = f"{INSTALL} --force-reinstall --no-cache-dir"

_SUFFIXES = {".so", ".dylib", ".dll"}
_BACKENDS = {"vulkan": "Vulkan", "metal": "Metal", "opencl": "OpenCL", "blas": "BLAS"}
_GGML_NAMES = {
    "darwin": ("libggml-base.dylib", "libggml-base.so"),
    "win32": ("ggml-base.dll", "libggml-base.dll"),
}


def native_folder() -> Path:
    """Where the shared libraries are. LibraryError when llama-cpp-python is not installed."""
    folder = os.environ.get("LLAMA_CPP_LIB_PATH")  # llama_cpp itself obeys this one
    return _package() / "lib" if folder is None else Path(folder)


def native_files() -> tuple[Path, ...]:
    """The shared libraries that are there, without loading them."""
    return tuple(sorted(path for path in native_folder().glob("*") if path.suffix in _SUFFIXES))


def backend_names() -> tuple[str, ...]:
    """What the installed llama.cpp can compute on, by the libraries that it comes in: CPU, CUDA.

    Nothing is loaded. Whether a card is there for one of them is another question.
    """
    found = (re.match(r"(?:lib)?ggml-(\w+)", path.name) for path in native_files())
    names = {match[1].partition("_")[0] for match in found if match is not None}
    return tuple(sorted(_BACKENDS.get(name, name.upper()) for name in names - {"base"}))


def bindings_version() -> str | None:
    """The installed llama-cpp-python's version; None where there is none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("llama-cpp-python")
    except PackageNotFoundError:
        return None


def load_libllama() -> tuple[ModuleType, str]:
    """The bindings of libllama, loaded with it, and the version of their package.

    LibraryError when they are missing or cannot be loaded.
    """
    _package()
    # Should the library abort after all: its backtrace would start a debugger on us.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    try:
        from llama_cpp import __version__ as version
        from llama_cpp import llama_cpp as api
    except Exception as error:  # a broken build raises RuntimeError, OSError, AttributeError...
        raise LibraryError(
            "llama-cpp-python cannot be loaded",
            found=f"{type(error).__name__}: {error}",
            hint=cure_of(str(error)) or REINSTALL,
        ) from error
    return api, version


def load_libggml(path: Path | None = None) -> tuple[ctypes.CDLL, Path]:
    """libggml-base, and where it lies, without loading the bindings.

    LibraryError when it is missing or cannot be loaded.
    """
    path = _find_libggml() if path is None else path
    try:
        return ctypes.CDLL(str(path)), path
    except OSError as error:
        raise LibraryError(
            "libggml cannot be loaded",
            path=path,
            found=error,
            hint=cure_of(str(error)) or REINSTALL,
        ) from error


def load_registry() -> ctypes.CDLL:
    """The library that knows which backends and devices there are; after `load_libllama`.

    LibraryError where it is missing or cannot be loaded.
    """
    # Not llama_cpp's own handle: that one is of its package, wherever libllama is from.
    return _load_beside("ggml", "libggml", REINSTALL)


def load_rpc() -> ctypes.CDLL:
    """The backend that computes on other machines; after `load_libllama`.

    LibraryError where this build has none.
    """
    hint = f'CMAKE_ARGS="-DGGML_RPC=on" {REINSTALL}; what ./scripts/demo sets up has it'
    return _load_beside("ggml-rpc", "RPC backend", hint)


def _load_beside(name: str, what: str, hint: str) -> ctypes.CDLL:
    """A library of llama.cpp's from the folder of the others."""
    names = {path.name.partition(".")[0].removeprefix("lib"): path for path in native_files()}
    path = names.get(name)
    if path is None:
        raise LibraryError(
            f"this build of llama.cpp has no {what}", path=native_folder(), hint=hint
        )
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise LibraryError(
            f"lib{name} cannot be loaded",
            path=path,
            found=error,
            hint=cure_of(str(error)) or REINSTALL,
        ) from error


def libc() -> ctypes.CDLL:
    """The C library, for functions that serve as callbacks."""
    return ctypes.CDLL("msvcrt") if sys.platform == "win32" else ctypes.CDLL(None)


def _package() -> Path:
    spec = find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        raise LibraryError("llama-cpp-python is not installed", hint=INSTALL)
    return Path(spec.origin).parent


def _find_libggml() -> Path:
    folder = native_folder()
    names = _GGML_NAMES.get(sys.platform, ("libggml-base.so",))
    for name in names:
        path = folder / name
        if path.is_file():
            return path
    raise LibraryError("there is no libggml-base", path=folder, expected=names[0], hint=REINSTALL)
