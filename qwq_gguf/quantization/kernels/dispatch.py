"""Who makes the blocks: our kernels where there is one for the format, libggml elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, Protocol

from qwq_gguf.errors import LibraryError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization.kernels.block_makers import GgmlKernels, Job, NumbaKernels, for_numba
from qwq_gguf.quantization.kernels.reference_bytes import gives_known_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["CHOICES", "GgmlKernels", "Job", "Kernels", "NumbaKernels", "choose_kernels"]

CHOICES = ("auto", "numba", "ggml")
Choice = Literal["auto", "numba", "ggml"]

_LITTLE = 1 << 23  # weights that libggml makes on a core in the time that loading numba takes
_TAKEN = 2  # cores that the compiler and the digests need; slowing them costs more than it brings


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

    def close(self) -> None:
        """End what `prepare` began, if it still goes on. Nothing is asked for afterwards."""

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


def choose_kernels(
    choice: str = "auto", jobs: Collection[Job] = (), weights: int | None = None, cores: int = 1
) -> Kernels:
    """The kernels asked for; `auto` takes our own where numba works, and libggml elsewhere.

    Where a libggml gives the same bytes, `auto` leaves all to it when there are few
    `weights` for so many `cores`; and has it work until our own are compiled, on the cores
    that are left. `jobs` are what there is to do. LibraryError if numba is asked for and
    cannot be used.
    """
    if choice not in CHOICES:
        raise ValueError(f"kernels must be one of {', '.join(CHOICES)}, not {choice!r}")
    if choice == "ggml":
        return GgmlKernels("libggml, as asked")
    if choice == "auto" and weights is not None and weights <= _LITTLE * cores:
        ours = for_numba(jobs)
        if all(gives_known_bytes(job.kind, weighted=job.weighted) for job in ours):
            return GgmlKernels("libggml, as there is little to do")
    missing = _why_not_numba()
    if missing is None:
        return NumbaKernels(stand_ins=max(0, cores - _TAKEN) if choice == "auto" else 0)
    if choice == "numba":
        raise LibraryError(f"our own kernels cannot be used: {missing}", hint="pip install numba")
    return GgmlKernels(f"libggml alone, several times slower: {missing}")


def _why_not_numba() -> str | None:
    if sys.byteorder != "little":
        return "this machine's bytes are in another order"
    if find_spec("numba") is None:
        return "numba is not installed"
    try:
        import_module("qwq_gguf.quantization.kernels.jit")
    except (ImportError, OSError, RuntimeError) as error:
        return f"numba does not work here: {error}"
    return None
