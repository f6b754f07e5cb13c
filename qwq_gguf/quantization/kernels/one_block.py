"""One block of 32 weights as one vector: the lanes are its weights.

For the formats whose arithmetic is so little that transposing would cost more than it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import signature

from qwq_gguf.quantization.kernels.jit import native
from qwq_gguf.quantization.kernels.memory import at, decoded
from qwq_gguf.quantization.kernels.vector import BYTES, FLOATS, INTEGERS, LANES, MASK

__all__ = [
    "at_most",
    "fetch",
    "first_lane",
    "highest",
    "lane_of",
    "levels_of",
    "load_block",
    "load_dealt",
    "set_lane",
    "store_block",
    "store_fifth_bits",
    "store_nibbles",
    "value_at",
]


@native
def load_block(typingctx: Any, array: Any, start: Any) -> Any:
    """array[start] to array[start + 31], stored weights, as floats."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = context.make_array(sig.args[0])(context, builder, args[0])
        element = sig.args[0].dtype
        chunk = ir.VectorType(context.get_data_type(element), LANES)
        place = at(builder, source.data, args[1], chunk)
        return decoded(builder, builder.load(place, align=element.bitwidth // 8), element)

    return signature(FLOATS, array, types.int64), codegen


@native
def load_dealt(typingctx: Any, array: Any, start: Any) -> Any:
    """The same in the order that takes the fewest instructions; see `levels_of`.

    Of BF16, those with even numbers come before the others: an integer of 32 bits holds two
    weights, and either is a float as soon as the other's bits are gone.
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = context.make_array(sig.args[0])(context, builder, args[0])
        element = sig.args[0].dtype
        if element != types.uint16:
            chunk = ir.VectorType(context.get_data_type(element), LANES)
            place = at(builder, source.data, args[1], chunk)
            return decoded(builder, builder.load(place, align=element.bitwidth // 8), element)
        half = LANES // 2
        pairs = ir.VectorType(ir.IntType(32), half)
        both = builder.load(at(builder, source.data, args[1], pairs), align=2)
        even = builder.shl(both, ir.Constant(pairs, [16] * half))
        odd = builder.and_(both, ir.Constant(pairs, [0xFFFF0000] * half))
        order = ir.Constant(ir.VectorType(ir.IntType(32), LANES), list(range(LANES)))
        bits = builder.shuffle_vector(even, odd, order)
        return builder.bitcast(bits, ir.VectorType(ir.FloatType(), LANES))

    return signature(FLOATS, array, types.int64), codegen


@native
def levels_of(typingctx: Any, array: Any, codes: Any) -> Any:
    """The low bytes of integers that `load_dealt` led to, in the order of the weights."""
    if codes != INTEGERS:
        return None
    dealt = array.dtype == types.uint16

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        byte, number = ir.IntType(8), ir.IntType(32)
        result = ir.VectorType(byte, LANES)
        if not dealt:
            return builder.trunc(args[1], result)
        half = LANES // 2
        words = ir.VectorType(number, half)
        even, odd = (
            builder.shuffle_vector(
                args[1], args[1], ir.Constant(words, list(range(side, side + half)))
            )
            for side in (0, half)
        )
        pairs = builder.or_(
            builder.and_(even, ir.Constant(words, [0xFF] * half)),
            builder.shl(odd, ir.Constant(words, [8] * half)),
        )
        return builder.bitcast(builder.trunc(pairs, ir.VectorType(ir.IntType(16), half)), result)

    return signature(BYTES, array, codes), codegen


@native
def at_most(typingctx: Any, levels: Any, most: Any) -> Any:
    """Bytes, taken as 0 to 255, or `most` if that is less."""
    if levels != BYTES:
        return None

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = args[0].type
        number = builder.trunc(args[1], kind.element)
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        first = builder.insert_element(ir.Constant(kind, ir.Undefined), number, ir.IntType(32)(0))
        limit = builder.shuffle_vector(first, first, zeros)
        function = ir.FunctionType(kind, [kind, kind])
        name = f"llvm.umin.v{LANES}i8"
        return builder.call(
            cgutils.get_or_insert_function(builder.module, function, name), [args[0], limit]
        )

    return signature(BYTES, levels, types.int64), codegen


@native
def fetch(typingctx: Any, array: Any, start: Any) -> Any:
    """Ask for array[start] to be in the cache soon; it may lie past the end."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = context.make_array(sig.args[0])(context, builder, args[0])
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        place = at(builder, source.data, args[1], ir.IntType(8))
        builder.call(prefetch, [place, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return signature(types.void, array, types.int64), codegen


@native
def highest(typingctx: Any, values: Any) -> Any:
    """The largest integer of all lanes."""
    if values != INTEGERS:
        return None

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [args[0].type])
        name = f"llvm.vector.reduce.smax.v{LANES}i32"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)

    return signature(types.int32, values), codegen


@native
def first_lane(typingctx: Any, mask: Any) -> Any:
    """The number of the first lane where the mask holds; there must be one."""
    if mask != MASK:
        return None

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        together = builder.bitcast(args[0], ir.IntType(LANES))
        last = builder.or_(together, together.type(1 << (LANES - 1)))  # so that none is no trap
        found = builder.cttz(last, ir.IntType(1)(1))
        return builder.zext(found, ir.IntType(64))

    return signature(types.int64, mask), codegen


@native
def value_at(typingctx: Any, values: Any, lane: Any) -> Any:
    """The value in one lane of a vector."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.extract_element(*args)

    return signature(values.element, values, types.int64), codegen


def _lane(builder: Any, rows: Any, row: Any, lane: Any) -> Any:
    place = builder.gep(rows, [row])
    element = place.type.pointee.element
    return builder.gep(builder.bitcast(place, element.as_pointer()), [lane])


@native
def set_lane(typingctx: Any, rows: Any, row: Any, lane: Any, value: Any) -> Any:
    """rows[row] gets this value in one lane."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[3], _lane(builder, *args[:3]))
        return context.get_dummy_value()

    element = rows.dtype.element
    return signature(types.void, rows, types.int64, types.int64, element), codegen


@native
def lane_of(typingctx: Any, rows: Any, row: Any, lane: Any) -> Any:
    """The value of rows[row] in one lane."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_lane(builder, *args))

    return signature(rows.dtype.element, rows, types.int64, types.int64), codegen


@native
def store_block(typingctx: Any, values: Any, array: Any, start: Any) -> Any:
    """array[start] to array[start + 31] = the bytes of all lanes."""
    if values != BYTES:
        return None

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        target = context.make_array(sig.args[1])(context, builder, args[1])
        builder.store(args[0], at(builder, target.data, args[2], args[0].type), align=1)
        return context.get_dummy_value()

    return signature(types.void, values, array, types.int64), codegen


@native
def store_nibbles(typingctx: Any, levels: Any, array: Any, start: Any) -> Any:
    """16 bytes from array[start]: the low four bits of lane i below those of lane i + 16."""
    if levels != BYTES:
        return None

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        target = context.make_array(sig.args[1])(context, builder, args[1])
        half = LANES // 2
        number, kind = ir.IntType(32), ir.VectorType(ir.IntType(8), half)
        low, high = (
            builder.shuffle_vector(
                args[0],
                args[0],
                ir.Constant(ir.VectorType(number, half), list(range(side, side + half))),
            )
            for side in (0, half)
        )
        low = builder.and_(low, ir.Constant(kind, [15] * half))
        both = builder.or_(low, builder.shl(high, ir.Constant(kind, [4] * half)))
        builder.store(both, at(builder, target.data, args[2], kind), align=1)
        return context.get_dummy_value()

    return signature(types.void, levels, array, types.int64), codegen


@native
def store_fifth_bits(typingctx: Any, levels: Any, array: Any, start: Any) -> Any:
    """4 bytes from array[start]: the bits worth 16, that of lane 0 the lowest."""
    if levels != BYTES:
        return None

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        target = context.make_array(sig.args[1])(context, builder, args[1])
        kind = args[0].type
        kept = builder.and_(args[0], ir.Constant(kind, [16] * LANES))
        mask = builder.icmp_unsigned("!=", kept, ir.Constant(kind, [0] * LANES))
        word = builder.bitcast(mask, ir.IntType(LANES))
        builder.store(word, at(builder, target.data, args[2], word.type), align=1)
        return context.get_dummy_value()

    return signature(types.void, levels, array, types.int64), codegen
