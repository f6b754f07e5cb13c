"""One block of 32 weights as one vector: the lanes are its weights.

For the formats whose arithmetic is so little that transposing would cost more than it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import signature

from qwq_gguf.quantize.kernels.jit import native
from qwq_gguf.quantize.kernels.memory import at, decoded
from qwq_gguf.quantize.kernels.vector import BYTES, FLOATS, INTEGERS, LANES, MASK

__all__ = [
    "fetch",
    "first_lane",
    "highest",
    "lane_of",
    "load_block",
    "mask_bits",
    "set_lane",
    "store_block",
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
def mask_bits(typingctx: Any, mask: Any) -> Any:
    """The mask as an integer, lane by lane from the lowest bit."""
    if mask != MASK:
        return None

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(LANES))

    return signature(types.int32, mask), codegen


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
def store_nibbles(typingctx: Any, codes: Any, array: Any, start: Any) -> Any:
    """16 bytes from array[start]: the low four bits of lane i below those of lane i + 16."""
    if codes != INTEGERS:
        return None

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        target = context.make_array(sig.args[1])(context, builder, args[1])
        order = ir.VectorType(ir.IntType(32), LANES // 2)
        half = list(range(LANES // 2))
        low, high = (
            builder.shuffle_vector(
                args[0], args[0], ir.Constant(order, [side + lane for lane in half])
            )
            for side in (0, LANES // 2)
        )
        low = builder.and_(low, ir.Constant(order, [15] * len(half)))
        high = builder.shl(high, ir.Constant(order, [4] * len(half)))
        both = builder.trunc(builder.or_(low, high), ir.VectorType(ir.IntType(8), len(half)))
        builder.store(both, at(builder, target.data, args[2], both.type), align=1)
        return context.get_dummy_value()

    return signature(types.void, codes, array, types.int64), codegen
