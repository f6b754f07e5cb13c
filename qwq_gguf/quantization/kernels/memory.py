"""Vectors in and out of memory: stored weights to lanes, bytes from lanes to blocks.

A lane is a sub-block, whose weights are neighbours in memory; so squares of 16 by 16 are
transposed on the way, in registers.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import signature

from qwq_gguf.quantization.kernels.jit import native, native_literal
from qwq_gguf.quantization.kernels.vector import BYTES, FLOATS, INTEGERS, LANES

__all__ = [
    "at",
    "decoded",
    "fetch_ahead",
    "gathered",
    "load_columns",
    "places",
    "rows_of_bytes",
    "rows_of_floats",
    "rows_of_integers",
    "scattered",
    "store_columns",
    "store_words",
]

_SQUARE = 16  # side of the squares that transposing works on


def _on_stack(element: Any) -> Any:
    """An intrinsic that reserves n elements for as long as the compiled function runs."""

    @native_literal
    def function(typingctx: Any, count: Any) -> Any:
        if not isinstance(count, types.IntegerLiteral):
            return None

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            value_type = context.get_data_type(element)
            size = ir.Constant(ir.IntType(32), count.literal_value)
            return cgutils.alloca_once(builder, value_type, size=size)

        return signature(types.CPointer(element), count), codegen

    return function


rows_of_floats = _on_stack(FLOATS)
"""Room for n vectors of floats, read and written by index."""

rows_of_integers = _on_stack(INTEGERS)
"""Room for n vectors of integers."""

rows_of_bytes = _on_stack(BYTES)
"""Room for n vectors of bytes."""

places = _on_stack(types.int64)
"""Room for n positions."""


def decoded(builder: Any, raw: Any, element: Any) -> Any:
    """LLVM's floats for stored weights (float32; uint16: BF16; int16: F16), exactly."""
    if element == types.float32:
        return raw
    count = raw.type.count
    wide = ir.VectorType(ir.IntType(32), count)
    single = ir.VectorType(ir.FloatType(), count)

    def constant(number: int) -> Any:
        return ir.Constant(wide, [number] * count)

    bits = builder.zext(raw, wide)
    if element == types.uint16:
        return builder.bitcast(builder.shl(bits, constant(16)), single)
    # The exponent is 112 too small then; multiplying also makes denormals normal.
    magnitude = builder.shl(builder.and_(bits, constant(0x7FFF)), constant(13))
    scale = ir.Constant(single, [2.0**112] * count)
    scaled = builder.bitcast(builder.fmul(builder.bitcast(magnitude, single), scale), wide)
    is_number = builder.icmp_unsigned("<", magnitude, constant(0x7C00 << 13))
    number = builder.select(is_number, scaled, builder.or_(scaled, constant(0x7F800000)))
    sign = builder.shl(builder.and_(bits, constant(0x8000)), constant(16))
    return builder.bitcast(builder.or_(number, sign), single)


def at(builder: Any, data: Any, index: Any, kind: Any) -> Any:
    """LLVM's pointer to an element of an array, as one to something of another kind."""
    return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())


def _shuffle(builder: Any, left: Any, right: Any, order: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
    return builder.shuffle_vector(left, right, mask)


def _transpose(builder: Any, rows: list[Any]) -> list[Any]:
    """A square of vectors mirrored: four rounds of dealing two halves into each other."""
    half = len(rows) // 2
    low = [side + place for place in range(half) for side in (0, len(rows))]
    high = [place + half for place in low]
    for _ in range(half.bit_length()):
        rows = [
            _shuffle(builder, rows[row], rows[row + half], order)
            for row in range(half)
            for order in (low, high)
        ]
    return rows


@native
def load_columns(typingctx: Any, array: Any, starts: Any, rows: Any, first: Any) -> Any:
    """rows[first + i] = array[starts[lane] + i] in each lane, for i from 0 to 15.

    The array holds stored weights: float32, BF16 as uint16 or F16 as int16.
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = context.make_array(sig.args[0])(context, builder, args[0])
        element = sig.args[0].dtype
        chunk = ir.VectorType(context.get_data_type(element), _SQUARE)
        halves = []
        for half in range(LANES // _SQUARE):
            columns = []
            for lane in range(half * _SQUARE, (half + 1) * _SQUARE):
                start = builder.load(builder.gep(args[1], [ir.IntType(32)(lane)]))
                raw = builder.load(
                    at(builder, source.data, start, chunk), align=element.bitwidth // 8
                )
                columns.append(decoded(builder, raw, element))
            halves.append(_transpose(builder, columns))
        for number in range(_SQUARE):
            whole = _shuffle(builder, halves[0][number], halves[1][number], list(range(LANES)))
            index = builder.add(args[3], args[3].type(number))
            builder.store(whole, builder.gep(args[2], [index]))
        return context.get_dummy_value()

    return signature(types.void, array, starts, rows, types.int64), codegen


@native
def fetch_ahead(typingctx: Any, array: Any, starts: Any, ahead: Any) -> Any:
    """Ask for array[starts[lane] + ahead] to be in the cache soon; it may lie past the end."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = context.make_array(sig.args[0])(context, builder, args[0])
        pointer = ir.IntType(8).as_pointer()
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        for lane in range(LANES):
            start = builder.load(builder.gep(args[1], [number(lane)]))
            place = at(builder, source.data, builder.add(start, args[2]), ir.IntType(8))
            builder.call(prefetch, [place, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return signature(types.void, array, starts, types.int64), codegen


@native_literal
def store_columns(
    typingctx: Any, rows: Any, first: Any, array: Any, starts: Any, lanes: Any
) -> Any:
    """array[starts[lane] + i] = rows[first + i], for i from 0 to 15, in the first `lanes` lanes."""
    if not isinstance(lanes, types.IntegerLiteral):
        return None
    count = lanes.literal_value

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        target = context.make_array(sig.args[2])(context, builder, args[2])
        chunk = ir.VectorType(ir.IntType(8), _SQUARE)
        vectors = [
            builder.load(builder.gep(args[0], [builder.add(args[1], args[1].type(number))]))
            for number in range(_SQUARE)
        ]
        for begin in range(0, count, _SQUARE):
            order = list(range(begin, begin + _SQUARE))
            square = [_shuffle(builder, whole, whole, order) for whole in vectors]
            for lane, column in enumerate(_transpose(builder, square), begin):
                if lane < count:
                    start = builder.load(builder.gep(args[3], [ir.IntType(32)(lane)]))
                    builder.store(column, at(builder, target.data, start, chunk), align=1)
        return context.get_dummy_value()

    return signature(types.void, rows, types.int64, array, starts, lanes), codegen


@native_literal
def store_words(typingctx: Any, values: Any, size: Any, array: Any, starts: Any) -> Any:
    """array[starts[lane]...] = the low `size` bytes (1, 2 or 4) of each integer, low byte first."""
    if values != INTEGERS or not isinstance(size, types.IntegerLiteral):
        return None
    word = ir.IntType(8 * size.literal_value)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        target = context.make_array(sig.args[2])(context, builder, args[2])
        kept = builder.trunc(args[0], ir.VectorType(word, LANES)) if word.width < 32 else args[0]
        room = cgutils.alloca_once(builder, kept.type)
        builder.store(kept, room)
        words = builder.bitcast(room, word.as_pointer())
        for lane in range(LANES):
            number = ir.IntType(32)(lane)
            start = builder.load(builder.gep(args[3], [number]))
            value = builder.load(builder.gep(words, [number]))
            builder.store(value, at(builder, target.data, start, word), align=1)
        return context.get_dummy_value()

    return signature(types.void, values, size, array, starts), codegen


@native
def gathered(typingctx: Any, array: Any, indices: Any) -> Any:
    """array[indices[lane]] in each lane, from an array of float32."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = context.make_array(sig.args[0])(context, builder, args[0])
        result = ir.Constant(ir.VectorType(ir.FloatType(), LANES), ir.Undefined)
        for lane in range(LANES):
            number = ir.IntType(32)(lane)
            index = builder.load(builder.gep(args[1], [number]))
            value = builder.load(builder.gep(source.data, [index]))
            result = builder.insert_element(result, value, number)
        return result

    return signature(FLOATS, array, indices), codegen


@native
def scattered(typingctx: Any, values: Any, array: Any, indices: Any) -> Any:
    """array[indices[lane]] = the float in each lane; of lanes with one index, the last counts."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        target = context.make_array(sig.args[1])(context, builder, args[1])
        for lane in range(LANES):
            number = ir.IntType(32)(lane)
            index = builder.load(builder.gep(args[2], [number]))
            value = builder.extract_element(args[0], number)
            builder.store(value, builder.gep(target.data, [index]))
        return context.get_dummy_value()

    return signature(types.void, values, array, indices), codegen
