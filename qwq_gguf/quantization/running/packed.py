"""Rows of a matrix whose numbers lie packed in words, wherever its rows are in them.

GPTQ and AWQ store the matrix turned: a row's numbers are in a column of words, so of each
line of words only those of the rows that are asked for are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qwq_gguf.errors import TensorError
from qwq_gguf.quantization.kernels.packed_numbers import AWQ_PLACES, in_words, weights
from qwq_gguf.quantization.kernels.scaled_bytes import FACTORS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qwq_gguf.checkpoint.reader import ShardReader
    from qwq_gguf.checkpoint.values import TensorInfo
    from qwq_gguf.conversion.parts import Packed, Part

    Words = NDArray[np.uint32]

__all__ = ["unpacked"]

_WORD = 4
_BAND = 1 << 20  # bytes of whole lines that are read at once, where most of them is needed


def unpacked(reader: ShardReader, part: Part, code: Packed, rows: range) -> NDArray[np.uint8]:
    """These rows as float32."""
    height, width = part.info.shape
    first, stop = rows.start, rows[-1] + 1
    groups = _groups(reader, code, width)
    if code.layout == "rows":
        line = part.info.nbytes // _WORD // height
        words = _lines(reader, part.info, line, first, stop)
        numbers = in_words(words, code.bits)
        scales = _scales(reader, code, first, stop)
        zeros = _zeros_of_rows(reader, code, first, stop, scales.shape[1])
    else:
        # A word has several of the columns of a row (GPTQ), or several rows (AWQ).
        a_word = 1 if code.layout == "columns" else 32 // code.bits
        left, right = first // a_word, -(-stop // a_word)
        words = _strip(reader, part.info, height // a_word, left, right)
        if code.layout == "columns":
            numbers = in_words(np.ascontiguousarray(words.T), code.bits)
        else:
            numbers = in_words(words, code.bits, AWQ_PLACES)
            numbers = np.ascontiguousarray(numbers.T)[first - left * a_word :][: stop - first]
        scales = _scales_of_columns(reader, code, height, first, stop)
        zeros = _zeros_of_columns(reader, code, height, first, stop, scales.shape[1])
    step = rows.step
    return weights(numbers[::step, :width], zeros[::step], scales[::step], groups)


def _groups(reader: ShardReader, code: Packed, width: int) -> NDArray[np.int64]:
    """Of which group each column is."""
    plain = np.arange(width, dtype=np.int64) // code.group
    if code.groups is None:
        return plain
    kind = "<i8" if code.groups.dtype == "I64" else "<i4"
    found = np.frombuffer(reader.read(code.groups), kind).astype(np.int64)
    if code.layout == "rows" and (found == -1).all():  # never filled in: there is no order
        return plain
    count = code.scales.shape[1 if code.layout == "rows" else 0]
    if found.min() < 0 or found.max() >= count:
        raise TensorError(
            f"{code.groups.name} names a group that has no scale",
            path=code.groups.shard,
            found=f"{found.min()} to {found.max()}",
            expected=f"0 to {count - 1}",
            hint="the file is damaged: download it again",
        )
    return found


def _lines(reader: ShardReader, info: TensorInfo, line: int, first: int, stop: int) -> Words:
    """Whole lines of words."""
    raw = reader.read(info, first * line * _WORD, (stop - first) * line * _WORD)
    return np.frombuffer(raw, "<u4").reshape(stop - first, line)


def _strip(reader: ShardReader, info: TensorInfo, line: int, left: int, right: int) -> Words:
    """Some columns of the words, all lines."""
    raw = _columns(reader, info, _WORD, line, left, right)
    return np.frombuffer(raw, "<u4").reshape(-1, right - left)


def _columns(
    reader: ShardReader, info: TensorInfo, size: int, line: int, left: int, right: int
) -> bytes:
    """Some columns of a matrix whose lines have `line` items of `size` bytes, as bytes."""
    whole, part = line * size, (right - left) * size
    lines = info.nbytes // whole
    if 4 * part < whole:
        at = left * size
        return b"".join(reader.read(info, number * whole + at, part) for number in range(lines))
    found = []
    step = max(1, _BAND // whole)
    for first in range(0, lines, step):
        count = min(step, lines - first)
        band = np.frombuffer(reader.read(info, first * whole, count * whole), np.uint8)
        found.append(band.reshape(count, whole)[:, left * size : right * size].tobytes())
    return b"".join(found)


def _scales(reader: ShardReader, code: Packed, first: int, stop: int) -> NDArray[np.float32]:
    info, factor = code.scales, FACTORS[code.scales.dtype]
    line = info.shape[1] * factor.itemsize
    raw = reader.read(info, first * line, (stop - first) * line)
    return factor.read(raw).reshape(stop - first, -1)


def _scales_of_columns(
    reader: ShardReader, code: Packed, height: int, first: int, stop: int
) -> NDArray[np.float32]:
    factor = FACTORS[code.scales.dtype]
    raw = _columns(reader, code.scales, factor.itemsize, height, first, stop)
    return np.ascontiguousarray(factor.read(raw).reshape(-1, stop - first).T)


def _zeros_of_rows(
    reader: ShardReader, code: Packed, first: int, stop: int, groups: int
) -> NDArray[np.int16]:
    if code.zeros is None:
        return _middle(code, stop - first, groups)
    a_word = 32 // code.bits
    top, bottom = first // a_word, -(-stop // a_word)
    words = _lines(reader, code.zeros, groups, top, bottom)
    found = in_words(np.ascontiguousarray(words.T), code.bits).T
    return found[first - top * a_word :][: stop - first].astype(np.int16) + code.zero_offset


def _zeros_of_columns(
    reader: ShardReader, code: Packed, height: int, first: int, stop: int, groups: int
) -> NDArray[np.int16]:
    if code.zeros is None:
        return _middle(code, stop - first, groups)
    a_word = 32 // code.bits
    left, right = first // a_word, -(-stop // a_word)
    words = _strip(reader, code.zeros, height // a_word, left, right)
    found = in_words(words, code.bits, AWQ_PLACES if code.layout == "awq" else None)
    found = found[:, first - left * a_word :][:, : stop - first]
    return found.T.astype(np.int16) + code.zero_offset


def _middle(code: Packed, rows: int, groups: int) -> NDArray[np.int16]:
    return np.full((rows, groups), 1 << (code.bits - 1), np.int16)
