"""Two makers of blocks: libggml, and our own kernels with libggml for the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization.kernels.ggml import Ggml, load_ggml
from qwq_gguf.quantization.kernels.reference_bytes import gives_known_bytes
from qwq_gguf.quantization.running.decoding import decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GgmlKernels", "Job", "NumbaKernels", "for_numba"]


class Job(NamedTuple):
    """What a kernel is for: the type to make, the type stored, with importance or without."""

    kind: GgmlType
    stored: GgmlType
    weighted: bool

    @property
    def decoded(self) -> Job:
        """The same for rows that a kernel can read."""
        return self._replace(stored=GgmlType.F32) if self.stored.quantized else self


class GgmlKernels:
    """libggml for everything. See choose.Kernels."""

    compile_seconds = 0.0

    def __init__(self, why: str) -> None:
        self._ggml: Ggml = load_ggml()
        self.description = f"{why} (ggml {self._ggml.version})"

    def prepare(self, jobs: Iterable[Job]) -> None:
        """Build ggml's tables; the codebooks of the IQ types take it a while."""
        for job in jobs:
            self._ggml.prepare(job.kind)

    def close(self) -> None:
        """Nothing goes on."""

    def reserve(self, jobs: Iterable[Job]) -> int:
        """The tables of ggml."""
        return _TABLES

    def widens(self, stored: GgmlType, kind: GgmlType) -> bool:
        """All that are not float32 already."""
        return stored not in (GgmlType.F32, kind)

    def quantize(
        self,
        kind: GgmlType,
        rows: NDArray[np.uint8],
        stored: GgmlType,
        importance: NDArray[np.float32] | None = None,
    ) -> NDArray[np.uint8]:
        """As the protocol says; rows become float32 on the way."""
        blocks = self._ggml.quantize_rows(kind, decode(rows, stored), importance)
        if not self._ggml.is_valid(kind, blocks):
            raise OverflowError(f"a scale is larger than {kind.name} can hold")
        return blocks


# The numba kernels, by module; `plain` also serves with importance where ggml ignores it.
_MODULES = {
    kind: f"qwq_gguf.quantization.kernels.{kind.name.lower()}"
    for kind in (
        GgmlType.Q8_0,
        GgmlType.Q6_K,
        GgmlType.Q5_K,
        GgmlType.Q4_K,
        GgmlType.Q3_K,
        GgmlType.Q2_K,
        GgmlType.Q5_1,
        GgmlType.Q5_0,
        GgmlType.Q4_1,
        GgmlType.Q4_0,
        GgmlType.TQ2_0,
        GgmlType.TQ1_0,
    )
}

# As the kernels tell them apart: by an array's type.
_STORED = {GgmlType.F32: "<f4", GgmlType.BF16: "<u2", GgmlType.F16: "<i2"}


_TABLES = 8 << 20
_COMPILER = 100 << 20
_KERNEL = 20 << 20


def for_numba(jobs: Iterable[Job]) -> list[Job]:
    """Those that numba kernels are for, as kernels get their rows."""
    return sorted({job.decoded for job in jobs if job.kind in _MODULES and job.kind != job.stored})


@cache
def _functions(kind: GgmlType) -> tuple[Callable[..., bool], Callable[..., bool] | None]:
    module: Any = import_module(_MODULES[kind])
    return module.plain, getattr(module, "weighted", None)


class NumbaKernels:
    """Our own kernels, and libggml for the formats that have none. See choose.Kernels.

    While a kernel is being compiled, libggml makes what is asked for in up to `stand_ins`
    threads at a time, if it is known to give the same bytes; other threads wait.
    """

    def __init__(self, *, stand_ins: int = 0) -> None:
        self._rest: GgmlKernels | None = None
        self._seconds = 0.0
        self._stands_in = stand_ins > 0
        self._stand_ins = Semaphore(stand_ins)
        self._waiting: set[Job] = set()
        self._compiler: Thread | None = None
        self._closed = False
        self.description = f"numba {import_module('numba').__version__}"

    @property
    def compile_seconds(self) -> float:
        """How long importing, compiling or loading kernels took so far."""
        return self._seconds

    def prepare(self, jobs: Iterable[Job]) -> None:
        """Compile what is needed in a thread."""
        wanted = sorted(set(jobs))
        rest = [job for job in wanted if job.kind not in _MODULES]
        if rest:
            self._libggml().prepare(rest)
        ours = for_numba(wanted)
        if self._stands_in:
            known = (job for job in ours if gives_known_bytes(job.kind, weighted=job.weighted))
            self._waiting = set(known)
            self._libggml().prepare(self._waiting)
        if ours:
            self._compiler = Thread(target=self._compile, args=(ours,), name="compile", daemon=True)
            self._compiler.start()

    def _compile(self, jobs: list[Job]) -> None:
        started = time.monotonic()
        for job in jobs:
            if self._closed:
                return
            length = job.kind.block_size
            rows = np.zeros((1, job.stored.row_bytes(length)), dtype=np.uint8)
            weights = np.ones(length, dtype=np.float32) if job.weighted else None
            try:
                self._by_kernel(job.kind, rows, job.stored, weights)
            except Exception as error:
                # libggml goes on standing in; without it, the workers will meet the error.
                self.description += f", which failed with {job.kind.name}: {error}"
            else:
                self._waiting.discard(job)
            self._seconds = time.monotonic() - started

    def wait(self) -> None:
        """Return when all is compiled that `prepare` was told of."""
        if self._compiler is not None:
            self._compiler.join()

    def close(self) -> None:
        """Wait for the kernel at hand, and compile no other."""
        self._closed = True
        self.wait()

    def reserve(self, jobs: Iterable[Job]) -> int:
        """What the compiler was seen to take, for the first kernel and for each."""
        return _TABLES + _COMPILER + _KERNEL * len(for_numba(jobs))

    def widens(self, stored: GgmlType, kind: GgmlType) -> bool:
        """Where ggml works, stands in, or decodes what is quantized already."""
        if kind in _MODULES and not self._stands_in:
            return stored.quantized and stored != kind
        return stored not in (GgmlType.F32, kind)

    def quantize(
        self,
        kind: GgmlType,
        rows: NDArray[np.uint8],
        stored: GgmlType,
        importance: NDArray[np.float32] | None = None,
    ) -> NDArray[np.uint8]:
        """As the protocol says; weights go from the stored rows straight into registers."""
        if kind not in _MODULES:
            return self._libggml().quantize(kind, rows, stored, importance)
        if (
            self._waiting
            and Job(kind, stored, importance is not None).decoded in self._waiting
            and self._stand_ins.acquire(blocking=False)
        ):
            try:
                return self._libggml().quantize(kind, rows, stored, importance)
            finally:
                self._stand_ins.release()
        return self._by_kernel(kind, rows, stored, importance)

    def _by_kernel(
        self,
        kind: GgmlType,
        rows: NDArray[np.uint8],
        stored: GgmlType,
        importance: NDArray[np.float32] | None,
    ) -> NDArray[np.uint8]:
        if stored.quantized:
            rows, stored = decode(rows, stored).view(np.uint8), GgmlType.F32
        if rows.ndim != 2 or rows.dtype != np.uint8 or not rows.flags.c_contiguous:
            raise ValueError("rows must be a contiguous uint8 array of two dimensions")
        count = len(rows)
        length = rows.shape[1] // stored.type_size
        blocks = np.empty((count, kind.row_bytes(length)), dtype=np.uint8)
        if blocks.size == 0:
            return blocks
        plain, weighted = _functions(kind)
        source = _read_only(rows.reshape(-1).view(_STORED[stored]))
        if importance is None:
            fine = plain(source, blocks.reshape(-1))
        else:
            if importance.shape != (length,) or importance.dtype != np.float32:
                raise ValueError(f"importance must be {length} float32 weights")
            if not np.isfinite(importance).all():
                raise ValueError("importance must be finite")
            if weighted is None:
                fine = plain(source, blocks.reshape(-1))
            else:
                columns = _read_only(np.ascontiguousarray(importance))
                fine = weighted(source, blocks.reshape(-1), columns)
        if not fine:
            raise OverflowError(f"a weight is not finite or larger than {kind.name} can hold")
        return blocks

    def _libggml(self) -> GgmlKernels:
        if self._rest is None:
            self._rest = GgmlKernels("libggml")
        return self._rest


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view that numba always gives one and the same type."""
    view = array.view() if array.flags.aligned else array.copy()
    view.flags.writeable = False
    return view
