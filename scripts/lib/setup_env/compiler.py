"""The compiler of this machine: whether it works, what it accepts, what it would build for."""

from __future__ import annotations

import hashlib
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import SetupError

# ggml's AMX kernels die of SIGILL at their first tile when GCC 12 built them: its header says
# that `_tile_loadconfig` reads 8 bytes of a configuration of 64, so the others are never written.
# Other compilers may know better; that a virtual machine announces AMX and faults is reported, too.
WITHOUT_AMX = ("-mno-amx-tile", "-mno-amx-int8", "-mno-amx-bf16")

_X86 = frozenset({"x86_64", "amd64", "i386", "i686"})
_C_NAMES = ("cc", "gcc", "clang")
_CXX_NAMES = ("c++", "g++", "clang++")
_PROGRAM = "#include <filesystem>\nint main() { return std::filesystem::path().empty() ? 0 : 1; }\n"

# What each package manager calls a C++ compiler.
_INSTALL = {
    "apt-get": "sudo apt-get install build-essential",
    "dnf": "sudo dnf install gcc gcc-c++",
    "zypper": "sudo zypper install gcc gcc-c++",
    "pacman": "sudo pacman -S base-devel",
    "apk": "sudo apk add build-base linux-headers",
    "xcode-select": "xcode-select --install",
}


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C and a C++ compiler that work, each with the words that start it."""

    c: tuple[str, ...]
    cxx: tuple[str, ...]
    version: str
    target: str
    """A digest of every macro the compiler defines when it builds for this very machine."""

    def accepts(self, *flags: str) -> bool:
        """Whether both compilers take these flags."""
        return _compiles(self.c, "c", "int main(void) { return 0; }\n", flags) and _compiles(
            self.cxx, "c++", "int main() { return 0; }\n", flags
        )


def find_compiler(environment: Mapping[str, str]) -> Compiler:
    """What CMake would take: CC and CXX, else the usual names on the PATH."""
    c = _find(environment.get("CC"), _C_NAMES)
    cxx = _find(environment.get("CXX"), _CXX_NAMES)
    if c is None or cxx is None or not _compiles(cxx, "c++", _PROGRAM, ("-std=c++17",)):
        raise SetupError(
            "llama-cpp-python has to be compiled once, and no working C++17 compiler was found",
            hint=f"{install_hint()}, then run this again",
        )
    version = "; ".join(_output([*words, "--version"]).partition("\n")[0] for words in (c, cxx))
    return Compiler(c, cxx, version, _target(c))


def extra_flags(compiler: Compiler, machine: str = "") -> tuple[str, ...]:
    """Flags to add on this machine: AMX off on x86, where the compiler has heard of it."""
    if (machine or platform.machine()).lower() not in _X86:
        return ()
    return WITHOUT_AMX if compiler.accepts(*WITHOUT_AMX) else ()


def install_hint() -> str:
    """How to get a C++ compiler here."""
    for manager, command in _INSTALL.items():
        if shutil.which(manager):
            return command
    return "install a C++ compiler (GCC or Clang)"


def _find(wanted: str | None, names: Sequence[str]) -> tuple[str, ...] | None:
    # CC may hold more than a name, "ccache gcc" for example.
    candidates = [shlex.split(wanted)] if wanted else [[name] for name in names]
    for words in candidates:
        if words and (path := shutil.which(words[0])):
            return (path, *words[1:])
    return None


def _compiles(command: Sequence[str], language: str, source: str, flags: Sequence[str]) -> bool:
    with tempfile.TemporaryDirectory(prefix="qwq-gguf-probe-") as folder:
        program = Path(folder, "probe")
        # Linked as well: headers without their library, or the reverse, are common enough.
        words = [*command, *flags, "-x", language, "-", "-o", str(program)]
        try:
            done = subprocess.run(
                words, input=source.encode(), capture_output=True, check=False, timeout=60
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0


def _target(c: Sequence[str]) -> str:
    # ggml builds for the machine at hand. Two CPUs for which the compiler defines the same
    # macros get the same code; kernel-dependent lists like /proc/cpuinfo's say more than that.
    for native in ("-march=native", "-mcpu=native"):
        macros = _output([*c, native, "-E", "-dM", "-x", "c", "/dev/null"])
        if macros:
            lines = "\n".join(sorted(macros.splitlines()))
            return hashlib.sha256(lines.encode()).hexdigest()
    return platform.processor() or platform.machine()


def _output(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
