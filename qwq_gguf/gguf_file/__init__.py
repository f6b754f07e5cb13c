"""GGUF as a file: a bounded reader and an exact header writer. No meaning is given here."""

from __future__ import annotations

from qwq_gguf.gguf_file.layout import (
    DEFAULT_ALIGNMENT,
    TensorRecord,
    encode_header,
    header_bytes,
    padded,
    tensor_bytes,
)
from qwq_gguf.gguf_file.reader import GgufFile, GgufTensor, read_gguf

__all__ = [
    "DEFAULT_ALIGNMENT",
    "GgufFile",
    "GgufTensor",
    "TensorRecord",
    "encode_header",
    "header_bytes",
    "padded",
    "read_gguf",
    "tensor_bytes",
]
