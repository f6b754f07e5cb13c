"""A ggml_tensor as the evaluation callback gets it: what it is, and its numbers as an array.

The struct is laid out as in ggml.h of the ggml that `Tensors` checks for; its size is held against
what libggml itself says.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import LibraryError
from qwq_gguf.native import REINSTALL, load_libggml

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Tensor", "TensorStruct", "Tensors"]

F32, I32 = 0, 26  # ggml_type
_OBJECT_BYTES = 32  # of a ggml_object, which stands before each tensor
_MOST_OPS = 256


class TensorStruct(ctypes.Structure):
    """`struct ggml_tensor`."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("ne", ctypes.c_int64 * 4),
        ("nb", ctypes.c_size_t * 4),
        ("op", ctypes.c_int),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", ctypes.c_void_p * 10),
        ("view_src", ctypes.c_void_p),
        ("view_offs", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char * 64),
        ("extra", ctypes.c_void_p),
        ("padding", ctypes.c_char * 8),
    )


class Tensor:
    """One that lies at this address. Valid as long as the callback that was given it runs."""

    def __init__(self, address: int) -> None:
        self.address = address
        self._struct = TensorStruct.from_address(address)

    @property
    def op(self) -> int:
        """What computes it, by ggml's number."""
        return int(self._struct.op)

    @property
    def type(self) -> int:
        """Its ggml_type."""
        return int(self._struct.type)

    @property
    def name(self) -> str:
        """Its name; a copy on a card has the card before it and a number behind it."""
        name: str = self._struct.name.decode("utf-8", "replace")
        parts = name.split("#")
        return parts[1] if len(parts) > 1 else name

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Its lengths, that of a row first."""
        return tuple(self._struct.ne)

    @property
    def strides(self) -> tuple[int, int, int, int]:
        """Bytes from one to the next, in the same order."""
        return tuple(self._struct.nb)

    def source(self, number: int) -> Tensor:
        """What it is computed from."""
        return Tensor(self._struct.src[number])


class Tensors:
    """Reads them. LibraryError for a ggml whose tensors are laid out otherwise."""

    def __init__(self) -> None:
        library, path = load_libggml()
        self._library: Any = library
        for name, result, arguments in (
            ("ggml_tensor_overhead", ctypes.c_size_t, []),
            ("ggml_op_name", ctypes.c_char_p, [ctypes.c_int]),
            ("ggml_nbytes", ctypes.c_size_t, [ctypes.c_void_p]),
            (
                "ggml_backend_tensor_get",
                None,
                [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t],
            ),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        expected = _OBJECT_BYTES + ctypes.sizeof(TensorStruct)
        found = library.ggml_tensor_overhead()
        if found != expected:
            raise LibraryError(
                "the native library's tensors are not laid out as we know them",
                path=path,
                found=f"{found} bytes",
                expected=f"{expected} bytes",
                hint=REINSTALL,
            )
        self.mul_mat, self.mul_mat_id = self._op(b"MUL_MAT"), self._op(b"MUL_MAT_ID")

    def _op(self, name: bytes) -> int:
        for number in range(_MOST_OPS):
            found = self._library.ggml_op_name(number)
            if found == name:
                return number
            if found is None or found == b"":
                break
        raise LibraryError(
            "the native library does not name an operation", found=name.decode(), hint=REINSTALL
        )

    def values(self, tensor: Tensor) -> NDArray[np.float32] | NDArray[np.int32]:
        """A copy of its numbers, F32 or I32, from wherever they are computed; the row last."""
        import numpy as np

        raw = np.empty(self._library.ggml_nbytes(tensor.address), np.uint8)
        self._library.ggml_backend_tensor_get(tensor.address, raw.ctypes.data, 0, raw.nbytes)
        kind = np.int32 if tensor.type == I32 else np.float32
        return np.ndarray(tensor.shape[::-1], kind, buffer=raw.data, strides=tensor.strides[::-1])
