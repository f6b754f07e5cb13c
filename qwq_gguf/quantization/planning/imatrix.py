"""Reading importance matrices, both of llama.cpp's formats (tools/imatrix/imatrix.cpp).

A GGUF imatrix has two F32 tensors an entry: `NAME.in_sum2`, the summed squares of shape
[columns, matrices], and `NAME.counts`, over how many inputs each matrix was summed. The
older .dat format is, in little-endian 32-bit numbers:

    entries; for each: length of the name, name, calls, number of values, float values;
    then, in most files: chunks, length of the dataset's name, that name

where the values are means multiplied by `calls`. Both are divided here as llama-quantize
does, in float32. Nothing in a file is believed: lengths are checked against its size,
and sums must be finite and not negative.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qwq_gguf.errors import GgufError, ImatrixError
from qwq_gguf.files.reading import open_file
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file.cursor import Cursor
from qwq_gguf.gguf_file.layout import MAGIC, MAX_NAME_BYTES
from qwq_gguf.gguf_file.reader import GgufFile, GgufTensor, read_gguf
from qwq_gguf.metadata import ValueType
from qwq_gguf.quantization.planning.imatrix_values import means_of, read_floats
from qwq_gguf.quantization.planning.importance import Imatrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAX_FILE_BYTES", "read_imatrix"]

MAX_FILE_BYTES = 1 << 29
"""A dense model of 70 B weights comes to 30 MB, 128 experts in 94 layers to 500."""

_MAX_ENTRIES = 1 << 16
_MAX_DATASET_BYTES = 1 << 16
_LEAST_ENTRY_BYTES = 17  # three lengths, a name of one byte, one value
_HINT = "make one with llama-imatrix, or download the file again"


def read_imatrix(path: str | Path) -> Imatrix:
    """The importance matrix in a file of either format.

    ImatrixError when it is missing, no imatrix, damaged, larger than `MAX_FILE_BYTES`, or
    has a value that is NaN, infinite, negative or above `LARGEST_IMPORTANCE`; the message
    names the entry.
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
            return _read_gguf(str(path), cursor)
        return _read_legacy(str(path), cursor)
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


def _read_gguf(name: str, cursor: Cursor) -> Imatrix:
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
            stored[tensor.name] = read_floats(cursor, tensor.weights, tensor.name)
    entries = {}
    for entry in sums:
        calls = stored.pop(f"{entry}.counts")
        totals = stored.pop(f"{entry}.in_sum2")
        entries[entry] = means_of(cursor.path, entry, totals, calls)
    return Imatrix(name, entries, _first_dataset(file), _chunks(file))


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


def _first_dataset(file: GgufFile) -> str | None:
    entry = file.metadata.get("imatrix.datasets")
    if entry is None or entry.element is not ValueType.STRING or not entry.items:
        return None
    return str(entry.items[0])


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


def _usable_chunks(count: int) -> int:
    """llama-quantize holds it as a signed number, and says nothing of one below 1."""
    return count if 0 < count < 1 << 31 else 0


# --------------------------------------------------------------------- legacy


def _read_legacy(name: str, cursor: Cursor) -> Imatrix:
    count = cursor.u32("the number of entries")
    if not 0 < count <= min(_MAX_ENTRIES, cursor.remaining // _LEAST_ENTRY_BYTES):
        raise ImatrixError(
            "not an importance matrix of either format",
            path=cursor.path,
            found=f"a first number of {count} in a file of {cursor.size} bytes",
            expected="a GGUF file, or a number of entries that fit",
            hint=_HINT,
        )
    entries: dict[str, NDArray[np.float32]] = {}
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
        totals = read_floats(cursor, values, entry)
        # Without calls the values are means already.
        entries[entry] = means_of(
            cursor.path, entry, totals, np.array([calls if calls else 1], dtype=np.float64)
        )
    chunks, dataset = _legacy_end(cursor)
    return Imatrix(name, entries, dataset, chunks)


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


def _signed(cursor: Cursor, what: str) -> int:
    return int.from_bytes(cursor.take(4, what), "little", signed=True)
