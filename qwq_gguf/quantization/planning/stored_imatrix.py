"""The files of importance matrices, both of llama.cpp's formats (tools/imatrix/imatrix.cpp).

A GGUF imatrix has two F32 tensors an entry: `NAME.in_sum2`, the summed squares of shape
[columns, matrices], and `NAME.counts`, over how many inputs each matrix was summed. The
older .dat format is, in little-endian 32-bit numbers:

    entries; for each: length of the name, name, calls, number of values, float values;
    then, in most files: chunks, length of the dataset's name, that name

where the values are means multiplied by `calls`. Nothing in a file is believed: lengths are
checked against its size, and sums must be finite and not negative.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qwq_gguf.errors import GgufError, ImatrixError
from qwq_gguf.files.reading import open_file
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file.cursor import Cursor
from qwq_gguf.gguf_file.layout import MAGIC, MAX_NAME_BYTES
from qwq_gguf.gguf_file.reader import GgufFile, GgufTensor, read_gguf
from qwq_gguf.metadata import ValueType

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LARGEST_IMPORTANCE", "MAX_FILE_BYTES", "Stored", "check_values", "read_stored"]

MAX_FILE_BYTES = 1 << 29
"""A dense model of 70 B weights comes to 30 MB, 128 experts in 94 layers to 500."""

LARGEST_IMPORTANCE = 1e15
"""Past the square of any activation. ggml's own search overflows some way beyond it: K-quants
turn to nonsense, and the two-bit codebook types end the process."""

_MAX_ENTRIES = 1 << 16
_MAX_DATASET_BYTES = 1 << 16
_BLOCK = 1 << 20  # what is read and looked at in one go
_LEAST_ENTRY_BYTES = 17  # three lengths, a name of one byte, one value
_HINT = "make one with llama-imatrix, or download the file again"


class Stored(NamedTuple):
    """What is in a file: for each tensor's name values, and the counts that they are divided by.

    In a `legacy` file those are the calls, in a GGUF inputs; one for each matrix, or one for all.
    `chunks`, and the tokens of each, `window`, are 0 where it is not said.
    """

    entries: dict[str, tuple[NDArray[np.float32], NDArray[np.float64]]]
    datasets: tuple[str, ...]
    chunks: int
    legacy: bool
    window: int = 0


def read_stored(path: str | Path) -> Stored:
    """The sums in a file of either format, as they stand there, and held to be possible.

    ImatrixError when it is missing, no imatrix, damaged, larger than `MAX_FILE_BYTES`, or has a
    value that is NaN, infinite or negative; the message names the entry.
    """
    file = Path(path)
    try:
        descriptor = open_file(file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImatrixError(f"cannot be opened: {reason}", path=file) from error
    try:
        cursor = Cursor(descriptor, file, _size(descriptor, file), MAX_FILE_BYTES)
        if os.pread(descriptor, len(MAGIC), 0) == MAGIC:
            stored = _read_gguf(cursor)
        else:
            stored = _read_legacy(cursor)
        for entry, (totals, calls) in stored.entries.items():
            check_values(file, entry, "count", calls, np.inf)
            check_values(file, entry, "value", totals, np.inf)
        return stored
    except GgufError as error:
        raise ImatrixError(
            error.message,
            path=error.path,
            found=error.found,
            expected=error.expected,
            hint=error.hint,
        ) from error
    finally:
        os.close(descriptor)


def _size(descriptor: int, path: Path) -> int:
    status = os.fstat(descriptor)
    if status.st_size > MAX_FILE_BYTES:
        raise ImatrixError(
            "larger than any importance matrix",
            path=path,
            found=f"{status.st_size} bytes",
            expected=f"at most {MAX_FILE_BYTES}",
        )
    return status.st_size


# ----------------------------------------------------------------------- GGUF


def _read_gguf(cursor: Cursor) -> Stored:
    file = read_gguf(cursor.path)
    sums, counts = _named(file, ".in_sum2"), _named(file, ".counts")
    if not sums and not counts:
        raise ImatrixError(
            "a GGUF file, but no importance matrix",
            path=cursor.path,
            found=file.text("general.type") or file.architecture,
            expected="tensors whose names end in .in_sum2 and .counts",
            hint=_HINT,
        )
    for entry in sorted(sums.keys() ^ counts.keys()):
        lacks = "counts" if entry in sums else "sums"
        raise ImatrixError(f"{entry or 'a nameless entry'} has no {lacks}", path=cursor.path)
    stored: dict[str, NDArray[np.float32]] = {}
    for tensor in file.tensors:
        cursor.skip(tensor.offset - cursor.position, tensor.name)
        if tensor in (sums.get(_base(tensor)), counts.get(_base(tensor))):
            stored[tensor.name] = _floats(cursor, tensor.weights, tensor.name)
    entries = {
        entry: (stored[f"{entry}.in_sum2"], stored[f"{entry}.counts"].astype(np.float64))
        for entry in sums
    }
    return Stored(entries, _datasets(file), _chunks(file), legacy=False, window=_window(file))


def _base(tensor: GgufTensor) -> str:
    return tensor.name.rpartition(".")[0]


def _named(file: GgufFile, suffix: str) -> dict[str, GgufTensor]:
    """The tensors with this suffix by the name before it."""
    found: dict[str, GgufTensor] = {}
    for tensor in file.tensors:
        if tensor.name.endswith(suffix):
            if tensor.type is not GgmlType.F32:
                raise ImatrixError(
                    f"{tensor.name} is not stored as F32", path=file.path, found=tensor.type.name
                )
            found[_base(tensor)] = tensor
    return found


def _datasets(file: GgufFile) -> tuple[str, ...]:
    entry = file.metadata.get("imatrix.datasets")
    if entry is None or entry.element is not ValueType.STRING:
        return ()
    return tuple(map(str, entry.items))


def _chunks(file: GgufFile) -> int:
    entry = file.metadata.get("imatrix.chunk_count")
    if entry is None:
        return 0
    if entry.type is not ValueType.UINT32:
        raise ImatrixError(
            "imatrix.chunk_count is of another type",
            path=file.path,
            found=entry.type.name.lower(),
            expected="uint32",
        )
    return _usable_chunks(int(entry.scalar))


def _window(file: GgufFile) -> int:
    entry = file.metadata.get("imatrix.chunk_size")
    size = int(entry.scalar) if entry is not None and entry.type is ValueType.UINT32 else 0
    return size if size < 1 << 31 else 0


def _usable_chunks(count: int) -> int:
    """llama-quantize holds it as a signed number, and says nothing of one below 1."""
    return count if 0 < count < 1 << 31 else 0


# --------------------------------------------------------------------- legacy


def _read_legacy(cursor: Cursor) -> Stored:
    count = cursor.u32("the number of entries")
    if not 0 < count <= min(_MAX_ENTRIES, cursor.remaining // _LEAST_ENTRY_BYTES):
        raise ImatrixError(
            "not an importance matrix of either format",
            path=cursor.path,
            found=f"a first number of {count} in a file of {cursor.size} bytes",
            expected="a GGUF file, or a number of entries that fit",
            hint=_HINT,
        )
    entries: dict[str, tuple[NDArray[np.float32], NDArray[np.float64]]] = {}
    for number in range(count):
        entry = _legacy_name(cursor, f"entry {number + 1} of {count}")
        if entry in entries:
            raise ImatrixError(f"{entry} appears twice", path=cursor.path)
        calls = _signed(cursor, entry)
        values = cursor.u32(entry)
        if not 0 < values <= cursor.remaining // 4:
            raise ImatrixError(
                f"{entry} has an impossible number of values",
                path=cursor.path,
                found=values,
                expected=f"1 to {cursor.remaining // 4}",
            )
        entries[entry] = _floats(cursor, values, entry), np.array([calls], dtype=np.float64)
    chunks, dataset = _legacy_end(cursor)
    return Stored(entries, () if dataset is None else (dataset,), chunks, legacy=True)


def _legacy_name(cursor: Cursor, what: str) -> str:
    length = cursor.u32(what)
    if not 0 < length <= MAX_NAME_BYTES:
        raise ImatrixError(
            f"{what} has a name of an impossible length",
            path=cursor.path,
            found=f"{length} bytes",
            expected=f"1 to {MAX_NAME_BYTES}",
        )
    raw = cursor.take(length, what)
    if b"\0" in raw:
        raise ImatrixError(f"{what} has a zero byte in its name", path=cursor.path, found=raw)
    return raw.decode("utf-8", "surrogateescape")


def _legacy_end(cursor: Cursor) -> tuple[int, str | None]:
    """Chunks and dataset, both of which old files lack."""
    if not cursor.remaining:
        return 0, None
    chunks = _usable_chunks(_signed(cursor, "the number of chunks"))
    if not cursor.remaining:
        return chunks, None
    length = cursor.u32("the dataset")
    if length > min(_MAX_DATASET_BYTES, cursor.remaining):
        raise ImatrixError(
            "the dataset's name is longer than the file",
            path=cursor.path,
            found=f"{length} bytes",
            expected=f"at most {min(_MAX_DATASET_BYTES, cursor.remaining)}",
        )
    raw = cursor.take(length, "the dataset")
    if cursor.remaining:
        raise ImatrixError("goes on after its end", path=cursor.path, found=cursor.remaining)
    return chunks, raw.decode("utf-8", "surrogateescape") if raw else None


# --------------------------------------------------------------------- values


def _signed(cursor: Cursor, what: str) -> int:
    return int.from_bytes(cursor.take(4, what), "little", signed=True)


def _floats(cursor: Cursor, count: int, what: str) -> NDArray[np.float32]:
    """The next numbers, in memory once: the largest file is half of what a run may take."""
    cursor.require(4 * count, what)
    values = np.empty(count, dtype="<f4")
    target = values.data.cast("B")
    for at in range(0, len(target), _BLOCK):
        piece = target[at : at + _BLOCK]
        piece[:] = cursor.take(len(piece), what)
    return values


def check_values(
    path: Path,
    entry: str,
    what: str,
    values: NDArray[np.float32] | NDArray[np.float64],
    most: float,
) -> None:
    """ImatrixError unless all are finite, not negative and at most so large."""
    for first in range(0, values.size, _BLOCK):
        some = values[first : first + _BLOCK]
        fine = np.isfinite(some) & (some >= 0) & (some <= most)
        if fine.all():
            continue
        bad = int(np.argmin(fine))
        bound = f", up to {most:g}" if most < np.inf else ""
        raise ImatrixError(
            f"{entry} has an impossible {what} at position {first + bad}",
            path=path,
            found=f"{some[bad]:.6g}",
            expected=f"a finite number, not negative{bound}",
            hint="make it again: the model or the file is damaged",
        )
