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
from qwq_gguf.quantize.kernels.vector import BYTES, FLOATS, INTEGERS, LANES

__all__ = ["fetch", "highest", "lane_of", "load_block", "set_lane", "store_block"]


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
