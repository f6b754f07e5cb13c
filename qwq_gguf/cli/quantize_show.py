"""What `quantize` shows people: the plan before, the result after."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.cli.output import note, show_table
from qwq_gguf.cli.text import human_bytes, human_count, human_time

if TYPE_CHECKING:
    from qwq_gguf.quantize.plan import Plan
    from qwq_gguf.quantize.run import Summary

__all__ = ["show_plan", "show_summary"]


def show_summary(plan: Plan, summary: Summary) -> None:
    """What was made, how large it is and how long it took."""
    rate = summary.weights / summary.seconds if summary.seconds else 0.0
    note(
        f"{summary.path}: {human_bytes(summary.file_bytes)}, "
        f"{summary.bits_per_weight:.2f} bits a weight, {human_count(summary.weights)} weights "
        f"in {human_time(summary.seconds)} ({human_count(rate)} a second)"
    )
    note(f"  {_types_line(plan)}")
    compiled = (
        f", compiled in {human_time(summary.compile_seconds)} meanwhile"
        if summary.compile_seconds >= 1
        else ""
    )
    note(f"  blocks by {summary.kernels}{compiled}")


def _types_line(plan: Plan) -> str:
    kinds = Counter(tensor.type.name for tensor in plan.tensors)
    return ", ".join(f"{number} x {kind}" for kind, number in kinds.most_common())


def show_plan(plan: Plan, target: Path) -> None:
    """Every tensor in a table on stdout, the sum on stderr."""
    show_table(
        ("tensor", "shape", "type", "bytes", "why"),
        [
            (
                tensor.name,
                " x ".join(map(str, tensor.shape)),
                tensor.type.name,
                f"{tensor.nbytes:,}",
                tensor.why,
            )
            for tensor in plan.tensors
        ],
        right="shape,bytes",
    )
    note(
        f"\n{plan.recipe}: {len(plan.tensors)} tensors ({_types_line(plan)}), "
        f"{plan.bits_per_weight:.2f} bits a weight\n"
        f"would write {target}: {plan.file_bytes:,} bytes ({human_bytes(plan.file_bytes)})"
    )
