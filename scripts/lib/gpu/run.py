#!/usr/bin/env python3
"""Build for the card that is here, then run every check of gpu_check on it.

Needs nvcc, CMake, Ninja, a C++ compiler and Python 3.11 with venv; no network. What is found is
written to gpu.json after each step, so that a run that is cut off leaves what it has; the same
command once more goes on with what was left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
_PART = 15_000_000  # bytes of each file of a build that is kept
_TARGETS = ("llama", "llama-server")
_BUILT = "built-by-gpu-check"  # a file that says so


def main() -> None:
    parser = argparse.ArgumentParser(prog="run", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of gpu.json")
    parser.add_argument("--work", type=Path, default=Path("/tmp/gpu-check"), help="is filled")
    parser.add_argument("--keep", action="store_true", help="put the build into --out, in parts")
    parser.add_argument("--built", type=Path, help="folder of a kept build: builds nothing")
    parser.add_argument("--tree", type=Path, help="a tree that is here, instead of the one packed")
    parser.add_argument("--minutes", type=float, default=9, help="end after (default 9)")
    parser.add_argument("--only", help="names of checks, with commas between")
    given = parser.parse_args()
    deadline = time.time() + given.minutes * 60
    given.out.mkdir(parents=True, exist_ok=True)
    report = Report(given.out / "gpu.json")
    work: Path = given.work
    work.mkdir(parents=True, exist_ok=True)

    report.add("machine", machine())
    began = time.perf_counter()
    build = work / "build"
    if given.built is not None:
        unpack_build(given.built, build)
    elif not (build / _BUILT).is_file():
        compile_library(work, build, given.out / "build.log")
        (build / _BUILT).touch()
        if given.keep:
            keep_build(build, given.out)
    seconds = round(time.perf_counter() - began, 1)
    if given.built is not None or not report.has("build"):
        report.add("build", {"seconds": seconds, "kept": given.built is not None})
    began = time.perf_counter()
    python, tree = install(work, given.tree and given.tree.resolve())
    report.add("install", {"seconds": round(time.perf_counter() - began, 1)})
    command = [str(python), str(tree / "scripts/lib/gpu/checks.py"), str(report.path)]
    command += ["--server", str(build / "bin/llama-server"), "--until", str(deadline)]
    command += ["--only", given.only] if given.only else []
    environment = os.environ | {"PYTHONPATH": str(tree), "LLAMA_CPP_LIB_PATH": str(build / "bin")}
    status = run_until(deadline, command, cwd=work, env=environment)
    sys.exit(f"the time was up: see {report.path}" if status is None else status)


def run_until(deadline: float, command: list[str], **options: Any) -> int | None:
    """Its exit status; None if it was ended, with all that it had started, as the time was up."""
    running = subprocess.Popen(command, start_new_session=True, **options)
    try:
        return running.wait(max(0, deadline - time.time()))
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        return None


class Report:
    """A JSON file that is whole after each part; what it had before stays."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}

    def has(self, name: str) -> bool:
        return name in self._parts

    def add(self, name: str, part: Any) -> None:
        self._parts[name] = part
        self.path.write_text(json.dumps(self._parts, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {json.dumps(part)[:2000]}", flush=True)


def machine() -> dict[str, Any]:
    """Card, driver, compiler, processor."""
    query = "name,memory.total,driver_version,compute_cap"
    card = output("nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader,nounits")
    nvcc = output("nvcc", "--version")
    cpu = Path("/proc/cpuinfo").read_text().split("model name", 1)[-1].partition("\n")[0]
    return {
        "card": card,
        "nvcc": nvcc.splitlines()[-1] if nvcc else None,
        "processor": cpu.strip(" \t:"),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
    }


def extract(
    packed: tarfile.TarFile, folder: Path, members: list[tarfile.TarInfo] | None = None
) -> None:
    """All of it, or these; nothing outside the folder, where this Python can see to that."""
    packed.extraction_filter = getattr(tarfile, "tar_filter", None)
    packed.extractall(folder, members)


def output(*command: str) -> str:
    """What a program prints; nothing if it is not there."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def compile_library(work: Path, build: Path, log: Path) -> None:
    """Libllama with CUDA for this card alone, and llama-server from the same sources."""
    sources = work / "llama"
    with tarfile.open(HERE / "llama.tar.xz") as packed:
        extract(packed, sources)
    capability = output("nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader")
    architecture = capability.splitlines()[0].replace(".", "") if capability else ""
    flags = ["-DGGML_CUDA=ON", f"-DCMAKE_CUDA_ARCHITECTURES={architecture}"] if architecture else []
    flags += [f"-D{name}=OFF" for name in _OFF]
    flags += ["-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=ON", "-DGGML_RPC=ON"]
    # A card's own machines often are virtual ones on which AMX faults.
    flags += ["-DCMAKE_C_FLAGS=" + _NO_AMX, "-DCMAKE_CXX_FLAGS=" + _NO_AMX]
    # Some compilers link a C++ library of their own into each of ours. Were its names seen from
    # outside, two C++ libraries in one process would call into each other, and crash.
    flags += ["-DCMAKE_SHARED_LINKER_FLAGS=-Wl,--exclude-libs,libstdc++.a:libgcc.a"]
    flags += ["-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON", "-DCMAKE_INSTALL_RPATH=$ORIGIN"]
    with log.open("wb") as file:
        for command in (
            [
                "cmake",
                "-S",
                str(sources / "vendor/llama.cpp"),
                "-B",
                str(build),
                "-G",
                "Ninja",
                *flags,
            ],
            ["cmake", "--build", str(build), "--target", *_TARGETS],
        ):
            done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
            if done.returncode:
                print(log.read_text(errors="replace")[-4000:])
                sys.exit("llama.cpp did not build")


_OFF = (
    "LLAMA_BUILD_TESTS",
    "LLAMA_BUILD_EXAMPLES",
    "LLAMA_BUILD_APP",
    "LLAMA_CURL",
    "LLAMA_OPENSSL",
    "LLAMA_BUILD_UI",
    "LLAMA_USE_PREBUILT_UI",
)
_NO_AMX = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"


def keep_build(build: Path, out: Path) -> None:
    """The programs and libraries as parts of one packed file, small enough to carry."""
    packed = out / "build.tar.xz"
    names = sorted(path for path in (build / "bin").iterdir())
    for path in names:
        if path.is_file() and not path.is_symlink():
            subprocess.run(["strip", "--strip-unneeded", str(path)], check=False)
    command = ["tar", "-C", str(build), "-cf", "-", "bin"]
    with packed.open("wb") as file:
        made = subprocess.Popen(command, stdout=subprocess.PIPE)
        subprocess.run(["xz", "-T0", "-6"], stdin=made.stdout, stdout=file, check=True)
        made.wait()
    content = packed.read_bytes()
    packed.unlink()
    for number, first in enumerate(range(0, len(content), _PART)):
        (out / f"build.tar.xz.{number}").write_bytes(content[first : first + _PART])
    print(f"the build is {len(content) / 1e6:.1f} MB", flush=True)


def unpack_build(kept: Path, build: Path) -> None:
    build.mkdir(parents=True, exist_ok=True)
    packed = build / "build.tar.xz"
    with packed.open("wb") as out:
        for part in sorted(kept.glob("build.tar.xz.*"), key=lambda path: int(path.suffix[1:])):
            out.write(part.read_bytes())
    with tarfile.open(packed) as archive:
        extract(archive, build)
    packed.unlink()


def install(work: Path, tree: Path | None) -> tuple[Path, Path]:
    """An environment with what this program needs, besides what is here; this tree."""
    environment = work / "venv"
    if tree is None:
        tree = work / "tree"
        with tarfile.open(HERE / "tree.tar.xz") as packed:
            extract(packed, tree)
    subprocess.run(
        [sys.executable, "-m", "venv", "--system-site-packages", str(environment)], check=True
    )
    python = environment / "bin/python"
    # A Python that runs in an environment itself would hide the packages of that one.
    below = output(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    mine = output(sys.executable, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    Path(below, "there.pth").write_text(mine + "\n")
    wheels = sorted(str(path) for path in (HERE / "wheels").glob("*.whl"))
    pip = [str(python), "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-compile"]
    subprocess.run([*pip, *wheels], check=True)
    sources = work / "bindings"
    with tarfile.open(HERE / "llama.tar.xz") as packed:
        members = [m for m in packed.getmembers() if m.name.startswith("llama_cpp/")]
        extract(packed, sources, members)
    shutil.copytree(sources / "llama_cpp", Path(below) / "llama_cpp", dirs_exist_ok=True)
    return python, tree


if __name__ == "__main__":
    main()
