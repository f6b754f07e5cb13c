"""Importance matrices: as values for any model, and packed by hand in both file formats."""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qwq_gguf.conversion.values import Conversion
from qwq_gguf.quantization import Imatrix

__all__ = ["Sums", "covering", "gguf_bytes", "importance", "legacy_bytes", "random_sums"]


def covering(made: Conversion, names: Collection[str] | None = None) -> Imatrix:
    """Says that all columns matter alike, of these tensors or of every layer's matrices."""
    if names is None:
        names = {tensor.name for tensor in made.tensors if tensor.layer is not None}
    one = np.float32(1)
    return Imatrix(
        "all-alike.gguf",
        {
            tensor.name: np.broadcast_to(one, tensor.shape[0] * int(np.prod(tensor.shape[2:])))
            for tensor in made.tensors
            if tensor.name in names and len(tensor.shape) > 1
        },
    )


def importance(made: Conversion) -> Imatrix:
    """As an ordinary imatrix has it: every layer's matrices, not the embedding or output."""
    rng = np.random.default_rng(3)
    return Imatrix(
        "folder/some.imatrix.gguf",
        {
            tensor.name: rng.gamma(
                0.5, 1.0, tensor.shape[0] * int(np.prod(tensor.shape[2:]))
            ).astype(np.float32)
            for tensor in made.tensors
            if tensor.layer is not None and len(tensor.shape) > 1
        },
        dataset="calibration.txt",
        chunks=128,
    )


@dataclass(frozen=True)
class Sums:
    """An entry as it is collected: shape [matrices, columns], and a count for each matrix."""

    sums: np.ndarray
    counts: tuple[float, ...]


def random_sums(sizes: Mapping[str, int], counts: Sequence[float] = (512.0,)) -> dict[str, Sums]:
    """Entries of so many columns."""
    rng = np.random.default_rng(11)
    return {
        name: Sums(rng.gamma(0.5, 700.0, (len(counts), columns)).astype(np.float32), tuple(counts))
        for name, columns in sizes.items()
    }


def gguf_bytes(
    entries: Mapping[str, Sums],
    *,
    datasets: Sequence[str] = ("calibration.txt",),
    chunks: int = 128,
    keys: Mapping[str, bytes] | None = None,
) -> bytes:
    """A GGUF imatrix. `keys` adds or replaces keys: a name, and the packed type and value."""
    listed = struct.pack("<IIQ", 9, 8, len(datasets)) + b"".join(map(_text, datasets))
    packed = {
        "general.type": struct.pack("<I", 8) + _text("imatrix"),
        "imatrix.datasets": listed,
        "imatrix.chunk_count": struct.pack("<II", 4, chunks),
        "imatrix.chunk_size": struct.pack("<II", 4, 512),
    } | dict(keys or {})
    tensors: list[tuple[str, np.ndarray]] = []
    for name, entry in entries.items():
        tensors.append((f"{name}.in_sum2", entry.sums.astype("<f4")))
        tensors.append((f"{name}.counts", np.array(entry.counts, "<f4")[:, None]))
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(packed))
    for key, value in packed.items():
        out += _text(key) + value
    data = b""
    for name, values in tensors:
        out += _text(name) + struct.pack("<IQQIQ", 2, *values.shape[::-1], 0, len(data))
        data += _padded(values.tobytes())
    return _padded(out) + data


def legacy_bytes(
    entries: Mapping[str, tuple[np.ndarray, int]],
    *,
    chunks: int | None = 128,
    dataset: str | None = "calibration.txt",
) -> bytes:
    """A .dat imatrix: for each entry the means times calls, and the calls."""
    out = struct.pack("<i", len(entries))
    for name, (values, calls) in entries.items():
        raw = name.encode()
        out += struct.pack("<i", len(raw)) + raw + struct.pack("<ii", calls, values.size)
        out += values.astype("<f4").tobytes()
    if chunks is not None:
        out += struct.pack("<i", chunks)
        if dataset is not None:
            out += struct.pack("<i", len(dataset.encode())) + dataset.encode()
    return out


def _text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def _padded(raw: bytes) -> bytes:
    return raw + bytes(-len(raw) % 32)
