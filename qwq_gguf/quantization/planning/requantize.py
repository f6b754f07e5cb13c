"""Whether a plan would quantize weights a second time. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from qwq_gguf.errors import UnsupportedError
from qwq_gguf.ggml_types import GgmlType

if TYPE_CHECKING:
    from qwq_gguf.quantization.planning.plan import Plan, TensorPlan

__all__ = ["check_requantizing", "quantizes_again"]

_EXACT = (GgmlType.F32, GgmlType.F16, GgmlType.BF16)


def quantizes_again(plan: Plan) -> bool:
    """Whether quantized tensors get another type."""
    return bool(_changed(plan))


def check_requantizing(plan: Plan, *, allowed: bool) -> str | None:
    """A warning for the user when quantized tensors get another type; None when none does.

    UnsupportedError when it is not `allowed`, as llama-quantize has it: a tensor that keeps
    its type is copied. So it is, allowed or not, for what holds no weights.
    """
    changed = _changed(plan)
    if not changed:
        return None
    counts = Counter(tensor.source.stored for tensor in changed)
    kinds = ", ".join(f"{count} x {kind.name}" for kind, count in counts.most_common())
    path = next(iter(changed[0].source.shards), None)
    tables = [tensor for tensor in changed if not tensor.source.stored.quantized]
    if tables:
        raise UnsupportedError(
            f"{tables[0].name} cannot become {tables[0].type.name}",
            path=path,
            found=tables[0].source.stored.name,
            expected="F32, F16 or BF16",
        )
    if allowed:
        return (
            f"quantized a second time: {kinds}. What the first time lost stays lost, and the "
            "result is worse than one made from the F16 or BF16 file"
        )
    raise UnsupportedError(
        "these weights are quantized already",
        path=path,
        found=kinds,
        expected="F32, F16 or BF16",
        hint=f"{_instead(counts)}; --allow-requantize takes these all the same, at the price of "
        "quality",
    )


def _changed(plan: Plan) -> list[TensorPlan]:
    return [tensor for tensor in plan.tensors if tensor.source.stored not in (*_EXACT, tensor.type)]


def _instead(counts: Counter[GgmlType]) -> str:
    if set(counts) == {GgmlType.MXFP4}:  # gpt-oss, of which there is nothing better
        return "-r MXFP4_MOE keeps them as they are"
    return "take the F16 or BF16 file of this model"
