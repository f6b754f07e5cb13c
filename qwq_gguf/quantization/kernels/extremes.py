"""The extremes of blocks of 32 weights, for LANES blocks at a time: a lane for each block.

Stored weights are compared as the integers that their bits are. All blocks are reduced
together: two vectors of one block each become one vector of two blocks, in which half as
many candidates are left of each, and so on; three instructions a step, none of which waits
for the one before.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import signature

from qwq_gguf.quantization.kernels.jit import native
from qwq_gguf.quantization.kernels.memory import at, decoded
from qwq_gguf.quantization.kernels.vector import LANES

__all__ = ["load_peaks"]

_CHUNK_BITS = 128  # what unpacking instructions work within


def _halves(lanes: int, bits: int, unit: int) -> tuple[list[int], list[int]]:
    """Which lanes of two vectors become one: first and second halves of `unit` lanes each.

    Units of neighbours change partners within 128 bits, as the CPU unpacks; then whole
    pieces of 128 bits do.
    """
    chunk = _CHUNK_BITS // bits
    low: list[int] = []
    high: list[int] = []
    if unit < chunk:
        for first in range(0, lanes, chunk):
            for half, order in ((0, low), (chunk // 2, high)):
                for place in range(first + half, first + half + chunk // 2, unit):
                    for side in (0, lanes):
                        order += range(side + place, side + place + unit)
    else:
        for side in (0, lanes):
            for first in range(side, side + lanes, 2 * chunk):
                low += range(first, first + chunk)
                high += range(first + chunk, first + 2 * chunk)
    return low, high


def _steps(lanes: int, bits: int) -> list[tuple[list[int], list[int]]]:
    """The halves of all steps that reduce `lanes` candidates to one."""
    units = [1 << step for step in range(lanes.bit_length() - 1)]
    return [_halves(lanes, bits, unit) for unit in units]


def _order(lanes: int, bits: int) -> list[int]:
    """Which block each vector must hold, so that the results come in the blocks' order."""
    vectors = [[number] * lanes for number in range(LANES)]
    for low, high in _steps(lanes, bits):
        merged = []
        for left, right in zip(vectors[::2], vectors[1::2], strict=True):
            both = left + right
            assert [both[lane] for lane in low] == [both[lane] for lane in high]
            merged.append([both[lane] for lane in low])
        vectors = merged
    held = [number for vector in vectors for number in vector]
    return [held.index(number) for number in range(LANES)]


def _reduced(builder: Any, vectors: list[Any], names: tuple[str, ...]) -> list[Any]:
    """For each operation, the vector of what it leaves of each vector, in `_order`."""
    kind = vectors[0].type
    bits = kind.element.width
    number = ir.IntType(32)
    function = ir.FunctionType(kind, [kind, kind])
    operations = [
        cgutils.get_or_insert_function(
            builder.module, function, f"llvm.{name}.v{kind.count}i{bits}"
        )
        for name in names
    ]
    rows = [vectors] * len(names)
    for low, high in _steps(kind.count, bits):
        masks = [
            ir.Constant(ir.VectorType(number, kind.count), list(order)) for order in (low, high)
        ]
        shuffled: dict[tuple[int, int], list[Any]] = {}
        merged: list[list[Any]] = []
        for operation, row in zip(operations, rows, strict=True):
            merged.append([])
            for left, right in zip(row[::2], row[1::2], strict=True):
                key = (id(left), id(right))  # of the first step, all operations share the halves
                if key not in shuffled:
                    shuffled[key] = [builder.shuffle_vector(left, right, mask) for mask in masks]
                merged[-1].append(builder.call(operation, shuffled[key]))
        rows = merged
    if kind.count == LANES:
        return [row[0] for row in rows]
    both = ir.Constant(ir.VectorType(number, LANES), list(range(LANES)))
    return [builder.shuffle_vector(row[0], row[1], both) for row in rows]


def _load(context: Any, builder: Any, kind: Any, args: Any) -> list[Any]:
    """The blocks at array[starts[lane]] as integers, in `_order` of what comes of them."""
    source = context.make_array(kind)(context, builder, args[0])
    bits = kind.dtype.bitwidth
    shape = ir.VectorType(ir.IntType(bits), LANES)
    loaded = []
    # Of 32-bit weights, a vector has two registers: one lane each is left to begin with.
    lanes = LANES if bits == 16 else LANES // 2
    for block in _order(lanes, bits):
        start = builder.load(builder.gep(args[1], [ir.IntType(32)(block)]))
        place = at(builder, source.data, start, shape)
        loaded.append(builder.load(place, align=bits // 8))
    return loaded


def _folded(builder: Any, vectors: list[Any], name: str) -> list[Any]:
    """32-bit vectors with the better of the lanes i and i + 16."""
    kind = ir.VectorType(ir.IntType(32), LANES // 2)
    function = ir.FunctionType(kind, [kind, kind])
    better = cgutils.get_or_insert_function(
        builder.module, function, f"llvm.{name}.v{kind.count}i32"
    )
    masks = [ir.Constant(kind, list(range(first, first + kind.count))) for first in (0, kind.count)]
    return [
        builder.call(better, [builder.shuffle_vector(each, each, mask) for mask in masks])
        for each in vectors
    ]


def _best(builder: Any, vectors: list[Any], names: tuple[str, ...]) -> list[Any]:
    if vectors[0].type.element.width == 16:
        return _reduced(builder, vectors, names)
    return [
        best
        for name in names
        for best in _reduced(builder, _folded(builder, vectors, name), (name,))
    ]


def _put(builder: Any, results: list[Any], kind: Any, rows: Any) -> None:
    element = kind.dtype
    for number, bits in enumerate(results):
        raw = bits
        if element == types.float32:
            raw = builder.bitcast(bits, ir.VectorType(ir.FloatType(), LANES))
        value = decoded(builder, raw, element)
        builder.store(value, builder.gep(rows, [ir.IntType(32)(number)]))


@native
def load_peaks(typingctx: Any, array: Any, starts: Any, rows: Any) -> Any:
    """rows[0] = the largest number of each block, if one is positive, else a negative one;
    rows[1] = the least, if one is negative, else a positive one.
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = _load(context, builder, sig.args[0], args)
        # As signed integers, positive numbers are in order and above the negative ones;
        # as unsigned ones, negative numbers are above, those of large magnitude uppermost.
        _put(builder, _best(builder, vectors, ("smax", "umax")), sig.args[0], args[2])
        return context.get_dummy_value()

    return signature(types.void, array, starts, rows), codegen
