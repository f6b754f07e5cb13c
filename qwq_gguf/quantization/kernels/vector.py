"""SIMD vectors for numba: values of LANES lanes that stay in registers.

numba's own loops leave it to the compiler whether lanes become vectors and in which
order sums are taken. Here both are written down: an operator on vectors is one LLVM
instruction on all lanes, with no fast-math flag, so each lane rounds exactly as scalar C
without fused multiply-add does. LLVM splits a vector where the CPU's are shorter, which
changes no result. memory.py brings vectors in and out.

Everything here is for code compiled by `jit.compiled`; called from Python it raises.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model

from qwq_gguf.quantization.kernels.jit import native, native_literal

__all__ = [
    "BYTES",
    "FLOATS",
    "INTEGERS",
    "LANES",
    "Vector",
    "any_of",
    "bits_of",
    "bytes_of",
    "float_of",
    "floats_of",
    "integers_of",
    "lane_numbers",
    "partner",
    "pick",
    "square_root",
    "to_even",
    "vector",
]

LANES = 32
"""Lanes of a vector. Twice the 16 of a 512-bit register, so that two independent chains of
additions hide each other's latency."""


class Vector(types.Type):
    """LANES values of one type: float32, int32, int8 or boolean."""

    def __init__(self, element: Any) -> None:
        self.element = element
        super().__init__(name=f"Vector({element}x{LANES})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        width = {types.float32: ir.FloatType(), types.int32: ir.IntType(32)}
        narrow = {types.int8: ir.IntType(8), types.boolean: ir.IntType(1)}
        super().__init__(manager, kind, ir.VectorType((width | narrow)[kind.element], LANES))


FLOATS = Vector(types.float32)
INTEGERS = Vector(types.int32)
BYTES = Vector(types.int8)
MASK = Vector(types.boolean)


# ------------------------------------------------------------------ operators


def _common(left: Any, right: Any) -> Any:
    """The vector type both sides become; None if there is none."""
    vectors = {side for side in (left, right) if isinstance(side, Vector)}
    if len(vectors) != 1:
        return None
    other = right if isinstance(left, Vector) else left
    (vector,) = vectors
    if isinstance(other, Vector):
        return vector
    if vector == FLOATS and isinstance(other, types.Number):
        return vector
    if vector == INTEGERS and isinstance(other, types.Integer):
        return vector
    return None


def _widen(context: Any, builder: Any, value: Any, kind: Any, vector: Vector) -> Any:
    if isinstance(kind, Vector):
        return value
    return _splat(builder, context.cast(builder, value, kind, vector.element))


def _splat(builder: Any, scalar: Any) -> Any:
    shape = ir.VectorType(scalar.type, LANES)
    first = builder.insert_element(ir.Constant(shape, ir.Undefined), scalar, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(shape, ir.Undefined), zeros)


def _declare(function: Any, results: dict[Vector, Vector], build: Any) -> None:
    """Give a Python operator a meaning for vectors. `results`: operand type -> result type."""

    class Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) != 2:
                return None
            common = _common(*args)
            if common is None or common not in results:
                return None
            return signature(results[common], *args)

    Template.__name__ = f"Vector_{function.__name__}"
    infer_global(function)(Template)

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        common = _common(*sig.args)
        left, right = (
            _widen(context, builder, value, kind, common)
            for value, kind in zip(args, sig.args, strict=True)
        )
        return build(builder, common, left, right)

    for pair in ((Vector, Vector), (Vector, types.Number), (types.Number, Vector)):
        lower_builtin(function, *pair)(lower)


def _arithmetic(on_floats: str, on_integers: str | None) -> Any:
    def build(builder: Any, vector: Vector, left: Any, right: Any) -> Any:
        name = on_floats if vector == FLOATS else on_integers
        return getattr(builder, str(name))(left, right)

    return build


def _comparison(sign: str) -> Any:
    def build(builder: Any, vector: Vector, left: Any, right: Any) -> Any:
        if vector == FLOATS:  # as in C: a NaN is unequal to everything
            compare = builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered
            return compare(sign, left, right)
        return builder.icmp_signed(sign, left, right)

    return build


_BOTH = {FLOATS: FLOATS, INTEGERS: INTEGERS}
_declare(operator.add, _BOTH, _arithmetic("fadd", "add"))
_declare(operator.sub, _BOTH, _arithmetic("fsub", "sub"))
_declare(operator.mul, _BOTH, _arithmetic("fmul", "mul"))
_declare(operator.truediv, {FLOATS: FLOATS}, _arithmetic("fdiv", None))
_declare(operator.lshift, {INTEGERS: INTEGERS}, _arithmetic("", "shl"))
_declare(operator.rshift, {INTEGERS: INTEGERS}, _arithmetic("", "lshr"))  # brings in zeros
_LOGIC = {INTEGERS: INTEGERS, MASK: MASK, BYTES: BYTES}
_declare(operator.and_, _LOGIC, lambda builder, _, left, right: builder.and_(left, right))
_declare(operator.or_, _LOGIC, lambda builder, _, left, right: builder.or_(left, right))
_declare(operator.xor, _LOGIC, lambda builder, _, left, right: builder.xor(left, right))
for _function, _sign in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.eq, "=="),
    (operator.ne, "!="),
):
    _declare(_function, {FLOATS: MASK, INTEGERS: MASK}, _comparison(_sign))


# ------------------------------------------------------------------ functions


def _unary(source: Vector, result: Vector, build: Any) -> Any:
    @native
    def function(typingctx: Any, value: Any) -> Any:
        if value != source:
            return None
        return signature(result, value), lambda context, builder, sig, args: build(builder, args[0])

    return function


def _type(vector: Vector) -> Any:
    bits = {FLOATS: ir.FloatType(), INTEGERS: ir.IntType(32), BYTES: ir.IntType(8)}
    return ir.VectorType(bits[vector], LANES)


bits_of = _unary(FLOATS, INTEGERS, lambda builder, v: builder.bitcast(v, _type(INTEGERS)))
"""The bits of floats as integers."""

float_of = _unary(INTEGERS, FLOATS, lambda builder, v: builder.bitcast(v, _type(FLOATS)))
"""The floats that have these bits."""

floats_of = _unary(INTEGERS, FLOATS, lambda builder, v: builder.sitofp(v, _type(FLOATS)))
"""Integers as floats of the same value."""

bytes_of = _unary(INTEGERS, BYTES, lambda builder, v: builder.trunc(v, _type(BYTES)))
"""The low byte of each integer."""


integers_of = _unary(FLOATS, INTEGERS, lambda builder, v: builder.fptosi(v, _type(INTEGERS)))
"""Floats cut to integers; they must be finite and fit."""


def _root(builder: Any, value: Any) -> Any:
    kind = ir.FunctionType(value.type, [value.type])
    name = f"llvm.sqrt.v{LANES}f32"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [value])


square_root = _unary(FLOATS, FLOATS, _root)
"""Square roots, rounded as IEEE 754 asks."""


def _to_even(builder: Any, value: Any) -> Any:
    kind = ir.FunctionType(value.type, [value.type])
    name = f"llvm.nearbyint.v{LANES}f32"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [value])


to_even = _unary(FLOATS, FLOATS, _to_even)
"""The nearest whole numbers, of two as near the even one."""


@native
def vector(typingctx: Any, number: Any) -> Any:
    """A vector with one float32 or int32 in all lanes."""
    if not isinstance(number, types.Number):
        return None
    kind = INTEGERS if isinstance(number, types.Integer) else FLOATS

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _widen(context, builder, args[0], sig.args[0], kind)

    return signature(kind, number), codegen


@native
def lane_numbers(typingctx: Any) -> Any:
    """0, 1, ... LANES - 1."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(_type(INTEGERS), list(range(LANES)))

    return signature(INTEGERS), codegen


@native
def pick(typingctx: Any, mask: Any, yes: Any, no: Any) -> Any:
    """`yes` in the lanes where the mask holds, `no` elsewhere; one of them may be a number."""
    common = yes if isinstance(yes, Vector) and yes == no else _common(yes, no)
    if mask != MASK or common is None:
        return None

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        sides = (
            _widen(context, builder, value, kind, common)
            for value, kind in zip(args[1:], sig.args[1:], strict=True)
        )
        return builder.select(args[0], *sides)

    return signature(common, mask, yes, no), codegen


@native
def any_of(typingctx: Any, mask: Any) -> Any:
    """Whether the mask holds in some lane."""
    if mask != MASK:
        return None

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        together = builder.bitcast(args[0], ir.IntType(LANES))
        return builder.icmp_unsigned("!=", together, together.type(0))

    return signature(types.boolean, mask), codegen


@native_literal
def partner(typingctx: Any, value: Any, distance: Any) -> Any:
    """Each lane gets the value of the lane whose number differs in the bit `distance`."""
    if not (isinstance(value, Vector) and isinstance(distance, types.IntegerLiteral)):
        return None
    order = [lane ^ distance.literal_value for lane in range(LANES)]

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), order)
        return builder.shuffle_vector(args[0], args[0], mask)

    return signature(value, value, distance), codegen
