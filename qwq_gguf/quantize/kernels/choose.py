"""Who makes the blocks: our kernels where there is one for the format, libggml elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np

from qwq_gguf.errors import LibraryError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantize.kernels.ggml import Ggml, load_ggml
from qwq_gguf.quantize.weights import decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CHOICES", "Job", "Kernels", "choose_kernels"]

CHOICES = ("auto", "numba", "ggml")
Choice = Literal["auto", "numba", "ggml"]


class Job(NamedTuple):
    """What a kernel is for: the type to make, the type stored, with importance or without."""

    kind: GgmlType
    stored: GgmlType
    weighted: bool

    @property
    def decoded(self) -> Job:
        """The same for rows that a kernel can read."""
        return self._replace(stored=GgmlType.F32) if self.stored.quantized else self


class Kernels(Protocol):
    """Makes blocks. `quantize` may be called from any thread, and lets the others work."""

    @property
    def description(self) -> str:
        """Who works, in a line for people."""

    @property
    def compile_seconds(self) -> float:
        """How long compiling took so far, beside whatever else went on."""

    def prepare(self, jobs: Iterable[Job]) -> None:
        """Make ready for these jobs; returns before the work is done, where it can."""

    def reserve(self, jobs: Iterable[Job]) -> int:
        """Bytes of memory that `prepare` will take for them, at most."""

    def widens(self, stored: GgmlType, kind: GgmlType) -> bool:
        """Whether rows become float32 on their way to this type."""

    def quantize(
        self,
        kind: GgmlType,
        rows: NDArray[np.uint8],
        stored: GgmlType,
        importance: NDArray[np.float32] | None = None,
    ) -> NDArray[np.uint8]:
        """The blocks of rows as stored, shape [rows, bytes a row].

        Rows that are quantized already are decoded first, by libggml.
        `importance` has a finite weight for each column. OverflowError for weights that
        are not finite or that no valid block holds; ValueError for wrong shapes.
        """


def choose_kernels(choice: str = "auto") -> Kernels:
    """The kernels asked for; `auto` takes our own where numba works, and libggml elsewhere.

    LibraryError if numba is asked for and cannot be used.
    """
    if choice not in CHOICES:
        raise ValueError(f"kernels must be one of {', '.join(CHOICES)}, not {choice!r}")
    if choice == "ggml":
        return GgmlKernels("libggml, as asked")
    missing = _why_not_numba()
    if missing is None:
        return NumbaKernels()
    if choice == "numba":
        raise LibraryError(f"our own kernels cannot be used: {missing}", hint="pip install numba")
    return GgmlKernels(f"libggml alone, several times slower: {missing}")


def _why_not_numba() -> str | None:
    if sys.byteorder != "little":
        return "this machine's bytes are in another order"
    if find_spec("numba") is None:
        return "numba is not installed"
    try:
        import_module("qwq_gguf.quantize.kernels.jit")
    except (ImportError, OSError, RuntimeError) as error:
        return f"numba does not work here: {error}"
    return None


class GgmlKernels:
    """libggml for everything."""

    compile_seconds = 0.0

    def __init__(self, why: str) -> None:
        self._ggml: Ggml = load_ggml()
        self.description = f"{why} (ggml {self._ggml.version})"

    def prepare(self, jobs: Iterable[Job]) -> None:
        """Build ggml's tables; the codebooks of the IQ types take it a while."""
        for job in jobs:
            self._ggml.prepare(job.kind)

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
    kind: f"qwq_gguf.quantize.kernels.{kind.name.lower()}"
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
    )
}

# As the kernels tell them apart: by an array's type.
_STORED = {GgmlType.F32: "<f4", GgmlType.BF16: "<u2", GgmlType.F16: "<i2"}


_TABLES = 8 << 20
_COMPILER = 100 << 20
_KERNEL = 20 << 20


def _ours(jobs: Iterable[Job]) -> list[Job]:
    """Those that numba kernels are for, as they get their rows."""
    return sorted({job.decoded for job in jobs if job.kind in _MODULES and job.kind != job.stored})


@cache
def _functions(kind: GgmlType) -> tuple[Callable[..., bool], Callable[..., bool] | None]:
    module: Any = import_module(_MODULES[kind])
    return module.plain, getattr(module, "weighted", None)


class NumbaKernels:
    """Our own kernels, and libggml for the formats that have none."""

    def __init__(self) -> None:
        self._rest: GgmlKernels | None = None
        self._seconds = 0.0
        numba = import_module("numba")
        self.description = f"numba {numba.__version__}"

    @property
    def compile_seconds(self) -> float:
        """How long importing, compiling or loading kernels took so far."""
        return self._seconds

    def prepare(self, jobs: Iterable[Job]) -> None:
        """Compile what is needed in a thread: the first call of each waits for it."""
        wanted = sorted(set(jobs))
        rest = [job for job in wanted if job.kind not in _MODULES]
        if rest:
            self._libggml().prepare(rest)
        ours = _ours(wanted)
        if ours:
            Thread(target=self._compile, args=(ours,), name="compile", daemon=True).start()

    def reserve(self, jobs: Iterable[Job]) -> int:
        """What the compiler was seen to take, for the first kernel and for each."""
        return _TABLES + _COMPILER + _KERNEL * len(_ours(jobs))

    def widens(self, stored: GgmlType, kind: GgmlType) -> bool:
        """Where ggml works, and of what is quantized already."""
        if kind in _MODULES:
            return stored.quantized and stored != kind
        return stored not in (GgmlType.F32, kind)

    def _compile(self, jobs: list[Job]) -> None:
        started = time.monotonic()
        for job in jobs:
            length = job.kind.block_size
            rows = np.zeros((1, job.stored.row_bytes(length)), dtype=np.uint8)
            weights = np.ones(length, dtype=np.float32) if job.weighted else None
            self.quantize(job.kind, rows, job.stored, weights)
            self._seconds = time.monotonic() - started

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
