"""libggml's own quantizers and decoders, called by ctypes.

`native.py` finds and loads it. Before the first call its version, its functions
and the block layout of every type are compared with what this program was written for:
a wrong library must be an error, not wrong bytes. Calls release the interpreter lock.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import LibraryError, UnsupportedError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.native import REINSTALL, load_libggml
from qwq_gguf.quantization.recipes.recipe import TARGET_TYPES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Ggml", "load_ggml"]

SUPPORTED_VERSION = (0, 25)
"""Major and minor version of ggml whose ABI this module binds."""

LARGEST_WEIGHT = 1e9
"""No block format's half-precision scale reaches this far. Beyond it ggml writes blocks of
zeros for some types and ends the process for others, so such rows never get there."""

_FLOATS = ctypes.POINTER(ctypes.c_float)

# name: (result, arguments), from ggml.h
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "ggml_version": (ctypes.c_char_p, []),
    "ggml_blck_size": (ctypes.c_int64, [ctypes.c_int]),
    "ggml_type_name": (ctypes.c_char_p, [ctypes.c_int]),
    "ggml_type_size": (ctypes.c_size_t, [ctypes.c_int]),
    "ggml_quantize_init": (None, [ctypes.c_int]),
    "ggml_quantize_requires_imatrix": (ctypes.c_bool, [ctypes.c_int]),
    "ggml_quantize_chunk": (
        ctypes.c_size_t,
        [
            ctypes.c_int,
            _FLOATS,
            ctypes.c_void_p,
            ctypes.c_int64,
            ctypes.c_int64,
            ctypes.c_int64,
            _FLOATS,
        ],
    ),
    "ggml_validate_row_data": (ctypes.c_bool, [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]),
}

# void to_float(const void * blocks, float * weights, int64_t count)
_TO_FLOAT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


class _TypeTraits(ctypes.Structure):
    """`struct ggml_type_traits` of ggml.h."""

    _fields_ = (
        ("type_name", ctypes.c_char_p),
        ("blck_size", ctypes.c_int64),
        ("blck_size_interleave", ctypes.c_int64),
        ("type_size", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", ctypes.c_void_p),
        ("from_float_ref", ctypes.c_void_p),
    )


_FUNCTIONS["ggml_get_type_traits"] = (ctypes.POINTER(_TypeTraits), [ctypes.c_int])


class Ggml:
    """A loaded and checked libggml-base. All methods may be called from any thread."""

    def __init__(self, path: Path | None = None) -> None:
        """Load it from `path`, else from where it is installed; LibraryError if it is another."""
        library, path = load_libggml(path)
        self.path = path
        for name, (result, arguments) in _FUNCTIONS.items():
            try:
                function = getattr(library, name)
            except AttributeError as error:
                raise LibraryError(
                    f"this libggml has no {name}", path=path, hint=REINSTALL
                ) from error
            function.restype, function.argtypes = result, arguments
        self.library = library
        self._decoders: dict[GgmlType, Callable[[int, int, int], None]] = {}
        self.version: str = library.ggml_version().decode("ascii", "replace")
        self._check()

    def prepare(self, kind: GgmlType) -> None:
        """Build the tables a type needs, once, before threads ask for them."""
        self.library.ggml_quantize_init(kind)

    def requires_imatrix(self, kind: GgmlType) -> bool:
        """Whether quantizing to this type without importance weights ends the process."""
        return bool(self.library.ggml_quantize_requires_imatrix(kind))

    def quantize_rows(
        self,
        kind: GgmlType,
        rows: NDArray[np.float32],
        importance: NDArray[np.float32] | None = None,
    ) -> NDArray[np.uint8]:
        """The blocks of `rows` (shape [rows, row length]), shape [rows, bytes a row].

        `importance` has one weight for each column. ValueError for arrays of another
        layout, which ggml would read wrongly without noticing. OverflowError for weights
        that are NaN or that no block can hold.
        """
        import numpy as np

        if rows.ndim != 2 or rows.dtype != np.float32 or not rows.flags.c_contiguous:
            raise ValueError("rows must be a contiguous float32 array of two dimensions")
        count, length = rows.shape
        weights = None
        if importance is not None:
            if importance.shape != (length,) or importance.dtype != np.float32:
                raise ValueError(f"importance must be {length} float32 weights")
            if not np.isfinite(importance).all():
                raise ValueError("importance must be finite")
            weights = np.ascontiguousarray(importance).ctypes.data_as(_FLOATS)
        elif self.requires_imatrix(kind):
            raise ValueError(f"{kind.name} cannot be made without importance weights")
        blocks = np.empty((count, kind.row_bytes(length)), dtype=np.uint8)
        if count == 0:
            return blocks
        if kind.quantized and not max(rows.max(), -rows.min()) <= LARGEST_WEIGHT:
            raise OverflowError(f"a weight is NaN or larger than {kind.name} can hold")
        written = self.library.ggml_quantize_chunk(
            kind,
            rows.ctypes.data_as(_FLOATS),
            blocks.ctypes.data_as(ctypes.c_void_p),
            0,
            count,
            length,
            weights,
        )
        if written != blocks.nbytes:
            raise LibraryError(
                f"libggml wrote {written} bytes for {kind.name}",
                path=self.path,
                expected=f"{blocks.nbytes} bytes",
                hint=REINSTALL,
            )
        return blocks

    def decode_rows(self, kind: GgmlType, blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What blocks stand for (shape [rows, bytes a row]), shape [rows, row length].

        UnsupportedError for a type that ggml has no decoder for. ValueError for an array of
        another layout.
        """
        import numpy as np

        if blocks.ndim != 2 or blocks.dtype != np.uint8 or not blocks.flags.c_contiguous:
            raise ValueError("blocks must be a contiguous uint8 array of two dimensions")
        count, row_bytes = blocks.shape
        if row_bytes % kind.type_size:
            raise ValueError(f"a row of {row_bytes} bytes ends inside a {kind.name} block")
        decode = self._decoder(kind)
        rows = np.empty((count, row_bytes // kind.type_size * kind.block_size), np.float32)
        if rows.size:
            decode(blocks.ctypes.data, rows.ctypes.data, rows.size)
        return rows

    def _decoder(self, kind: GgmlType) -> Callable[[int, int, int], None]:
        """The `to_float` of a type, once its layout is what is expected."""
        found = self._decoders.get(kind)
        if found is not None:
            return found
        traits = self.library.ggml_get_type_traits(kind).contents
        name = (traits.type_name or b"").decode("ascii", "replace")
        layout = (name.upper(), traits.blck_size, traits.type_size, traits.is_quantized)
        if layout != (kind.name, kind.block_size, kind.type_size, kind.quantized):
            raise self._laid_out(kind, name, traits.blck_size, traits.type_size)
        if not traits.to_float:
            raise UnsupportedError(f"ggml has no decoder for {kind.name}", path=self.path)
        decoder = _TO_FLOAT(traits.to_float)
        self._decoders[kind] = decoder
        return decoder

    def is_valid(self, kind: GgmlType, blocks: NDArray[np.uint8]) -> bool:
        """Whether ggml would accept these blocks when loading: scales finite and in range.

        ggml describes what it finds on standard error.
        """
        if not blocks.flags.c_contiguous:
            raise ValueError("blocks must be contiguous")
        return bool(
            self.library.ggml_validate_row_data(
                kind, blocks.ctypes.data_as(ctypes.c_void_p), blocks.nbytes
            )
        )

    def _check(self) -> None:
        numbers = self.version.split(".")
        if tuple(numbers[:2]) != tuple(str(number) for number in SUPPORTED_VERSION):
            raise LibraryError(
                "this libggml is of another version",
                path=self.path,
                found=self.version,
                expected=".".join(str(number) for number in SUPPORTED_VERSION),
                hint=REINSTALL,
            )
        for kind in TARGET_TYPES:
            found = (self.library.ggml_blck_size(kind), self.library.ggml_type_size(kind))
            name = self.library.ggml_type_name(kind).decode("ascii", "replace")
            if found != (kind.block_size, kind.type_size) or name.upper() != kind.name:
                raise self._laid_out(kind, name, *found)

    def _laid_out(self, kind: GgmlType, name: str, weights: int, nbytes: int) -> LibraryError:
        return LibraryError(
            f"this libggml lays {kind.name} out differently",
            path=self.path,
            found=f"{name}: {weights} weights in {nbytes} bytes",
            expected=f"{kind.name}: {kind.block_size} weights in {kind.type_size} bytes",
            hint=REINSTALL,
        )


@cache
def load_ggml() -> Ggml:
    """The libggml-base of the installed llama_cpp package; LibraryError if it is unusable."""
    return Ggml()
