"""Stored rows as float32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qwq_gguf.errors import UnsupportedError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization.kernels.ggml import load_ggml

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["decode"]


def decode(rows: NDArray[np.uint8], kind: GgmlType) -> NDArray[np.float32]:
    """Stored rows as float32, exactly; float32 rows are a view. Blocks are decoded by ggml.

    UnsupportedError for what ggml would not decode either: whole numbers and doubles.
    """
    if kind is GgmlType.BF16:
        wide = rows.view("<u2").astype(np.uint32)
        wide <<= 16
        return wide.view(np.float32)
    if kind is GgmlType.F16:
        return rows.view("<f2").astype(np.float32)
    if kind is GgmlType.F32:
        return rows.view("<f4")
    if kind.quantized:
        return load_ggml().decode_rows(kind, rows)
    raise UnsupportedError(f"{kind.name} holds no weights")
