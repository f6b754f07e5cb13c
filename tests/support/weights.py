"""The plainest way to a tensor's bytes as llama.cpp's converter writes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qwq_gguf.checkpoint import ShardReader
from qwq_gguf.conversion import ComputedTensor, Conversion, SourceTensor
from qwq_gguf.conversion.parts import Part
from qwq_gguf.ggml_types import FileType
from qwq_gguf.quantization.running.weights import read_rows

__all__ = ["converter_bytes", "file_type_of", "source_values"]


def source_values(tensor: SourceTensor, reader: ShardReader) -> NDArray[Any]:
    """The raw values of a tensor, rows in the GGUF's order; BF16 as uint16. Those of parts of
    tensors are read as a run reads them: the recorded digests are the judge of that.
    """
    info = tensor.sources[0]
    if isinstance(info, ComputedTensor):
        return np.frombuffer(info.data, dtype="<f4")
    if tensor.change or isinstance(info, Part):
        kind = {"BF16": "<u2", "F16": "<f2", "F32": "<f4", "MXFP4": "u1"}[tensor.stored.name]
        rows = read_rows(reader, tensor, 0, tensor.rows).view(kind)
        return rows.reshape(*reversed(tensor.shape[1:]), -1)
    if len(tensor.sources) > 1:
        parts = (
            replace(tensor, sources=(each,), shape=tensor.shape[:-1]) for each in tensor.sources
        )
        return np.stack([source_values(part, reader) for part in parts])
    dtype = {"BF16": "<u2", "F16": "<f2", "F32": "<f4"}[info.dtype]
    values = np.frombuffer(reader.read(info), dtype=dtype).reshape(info.shape)
    if tensor.row_order is None:
        return values
    order = tensor.row_order.order
    groups = values.reshape(-1, len(order), *values.shape[1:])
    return groups[:, list(order)].reshape(values.shape)


def converter_bytes(tensor: SourceTensor, reader: ShardReader) -> tuple[str, bytes]:
    """(type, bytes): vectors and norms as F32, everything else in the checkpoint's type."""
    values = source_values(tensor, reader)
    if not tensor.plain:
        return tensor.stored.name, values.tobytes()
    if tensor.stored.name == "BF16":
        values = (values.astype("<u4") << 16).view("<f4")
    return "F32", values.astype("<f4").tobytes()


def file_type_of(conversion: Conversion) -> FileType:
    """The file type of a GGUF in the checkpoint's own precision."""
    dtype = next(t.stored.name for t in conversion.tensors if t.name == "token_embd.weight")
    return FileType[dtype]
