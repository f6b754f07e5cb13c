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
from qwq_gguf.gguf_file.oddities import Oddity
from qwq_gguf.gguf_file.reader import GgufFile, GgufTensor, read_gguf
from qwq_gguf.gguf_file.splits import SplitGguf, read_splits
from qwq_gguf.gguf_file.summary import FileSummary, summarize

__all__ = [
    "DEFAULT_ALIGNMENT",
    "FileSummary",
    "GgufFile",
    "GgufTensor",
    "Oddity",
    "SplitGguf",
    "TensorRecord",
    "encode_header",
    "header_bytes",
    "padded",
    "read_gguf",
    "read_splits",
    "summarize",
    "tensor_bytes",
]
