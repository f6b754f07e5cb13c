"""Find out once whether this library computes on this processor, and how to make it.

A native build uses every instruction the processor announces, and the process may die of one
at the first K-quant matrix product: of AMX where GCC 12 built it, whose `_tile_loadconfig`
leaves most of a tile's configuration unwritten, or where a virtual machine announces what it
does not have. Loading with `use_extra_bufts=False` avoids those kernels (and
the repacked ones, which is slower). So a child process computes with a tiny model first,
and what works is remembered for this library on this processor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from qwq_gguf.engine.llama.library import library_facts
from qwq_gguf.engine.loading.fact_cache import Memory
from qwq_gguf.engine.loading.guard import Ending, Outcome, Runner, run_child
from qwq_gguf.errors import LibraryError
from qwq_gguf.machine import cpu_identity
from qwq_gguf.native import native_files
from qwq_gguf.temporary import temporary_folder

__all__ = ["Probe", "installed_identity", "library_identity", "probe"]

_TIMEOUT = 120.0
_REBUILD = (
    'CMAKE_ARGS="-DGGML_NATIVE=off" pip install llama-cpp-python --force-reinstall --no-cache-dir'
)
_SLOWER = (
    "this build of llama.cpp crashes here with its fastest kernels ({reason}), so the "
    "plain ones are used"
)
_NO_GPU = "this build of llama.cpp crashes on the GPU ({reason}), so the processor is used"


@dataclass(frozen=True, slots=True)
class Probe:
    """How the library has to be used on this machine, and a line that says so if at all."""

    use_extra_bufts: bool = True
    use_gpu: bool = True
    notes: tuple[str, ...] = ()


def probe(
    identity: str,
    *,
    gpu_offload: bool,
    threads: int,
    memory: Memory | None = None,
    run: Runner = run_child,
) -> Probe:
    """What works, from memory or by trying. LibraryError when nothing does.

    `identity` names library and processor (`library_identity`), `gpu_offload` says
    whether the build can use a card at all.
    """
    memory = Memory("probe") if memory is None else memory
    known = _recall(memory, identity)
    if known is not None:
        return known
    from qwq_gguf.engine.loading.probe_model import PROBE_MODEL

    with temporary_folder() as folder:
        path = folder / "probe.gguf"
        PROBE_MODEL.write(path)
        result = _try(path, gpu_offload=gpu_offload, threads=threads, run=run)
    memory.put(identity, asdict(result))
    return result


def installed_identity() -> str:
    """`library_identity` of the library that is installed, on this processor; LibraryError where
    there is none.
    """
    facts = library_facts()
    return library_identity(native_files(), facts.version + facts.llama_version, cpu_identity())


def library_identity(files: Sequence[Path], version: str, cpu: str) -> str:
    """A name that changes whenever the library's files or the processor do."""
    digest = hashlib.sha256(f"1 {version} {cpu}".encode())
    for file in sorted(files):
        status = file.stat()
        digest.update(f"\n{file.name} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()[:32]


def _recall(memory: Memory, identity: str) -> Probe | None:
    entry = memory.get(identity)
    if entry is None:
        return None
    match entry:
        case {
            "use_extra_bufts": bool(extra),
            "use_gpu": bool(gpu),
            "notes": list(notes),
        } if all(isinstance(note, str) for note in notes):
            return Probe(extra, gpu, tuple(notes))
    return None


def _try(path: Path, *, gpu_offload: bool, threads: int, run: Runner) -> Probe:
    def attempt(*, extra: bool, layers: int) -> Outcome:
        request = {
            "task": "probe",
            "path": str(path),
            "use_extra_bufts": extra,
            "gpu_layers": layers,
            "mmap": True,
            "threads": threads,
        }
        return run(request, timeout=_TIMEOUT)

    notes: list[str] = []
    extra, first = True, attempt(extra=True, layers=0)
    if first.ending is not Ending.OK:
        second = attempt(extra=False, layers=0)
        if second.ending is not Ending.OK:
            raise LibraryError(
                "llama.cpp does not work on this machine",
                found=second.reason or second.ending.value,
                hint=_REBUILD,
            )
        extra = False
        notes.append(_SLOWER.format(reason=first.reason or first.ending.value))
    gpu = True
    if gpu_offload:
        third = attempt(extra=extra, layers=-1)
        gpu = third.ending is Ending.OK
        if not gpu:
            notes.append(_NO_GPU.format(reason=third.reason or third.ending.value))
    return Probe(extra, gpu, tuple(notes))
