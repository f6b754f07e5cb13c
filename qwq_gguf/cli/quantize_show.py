"""What `quantize` shows people: the plan before, the result after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.cli.output import note, show_table
from qwq_gguf.cli.text import human_bytes, human_count, human_time

if TYPE_CHECKING:
    from qwq_gguf.quantize.plan import Plan
    from qwq_gguf.quantize.run import Summary

__all__ = ["show_plan", "show_summaries"]


def show_summaries(plans: Sequence[Plan], summaries: Sequence[Summary]) -> None:
    """What was made, how large it is and how long it took."""
    for plan, made in zip(plans, summaries, strict=True):
        several = f" in {len(plan.parts)} files" if plan.split else ""
        took = f" in {human_time(made.seconds)} ({_rate(made)} a second)"
        note(
            f"{made.path}: {human_bytes(made.file_bytes)}{several}, "
            f"{made.bits_per_weight:.2f} bits a weight, {human_count(made.weights)} weights"
            + (took if len(plans) == 1 else "")
        )
        note(f"  {_types_line(plan)}")
    last = summaries[-1]
    compiled = (
        f", compiled in {human_time(last.compile_seconds)} meanwhile"
        if last.compile_seconds >= 1
        else ""
    )
    note(f"  blocks by {last.kernels}{compiled}")
    if len(plans) > 1:
        note(f"{len(plans)} models in {human_time(last.seconds)}, from one reading")


def _rate(made: Summary) -> str:
    return human_count(made.weights / made.seconds if made.seconds else 0.0)


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
