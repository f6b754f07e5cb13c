"""Cutting a plan into several files, where llama.cpp's gguf-split would cut its one file.

The rules are those of https://github.com/ggml-org/llama.cpp/tree/master/tools/gguf-split:
tensors stay in order; a file ends before the tensor that would take its data over the
limit; the first file has the model's keys, and every file where it belongs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from qwq_gguf.errors import PlanError
from qwq_gguf.gguf_file.layout import header_bytes, padded
from qwq_gguf.gguf_file.splits import MAX_PARTS
from qwq_gguf.metadata import KeyValue, ValueType, i32
from qwq_gguf.quantization.planning.plan import PartPlan, Plan, TensorPlan

__all__ = ["SplitRule", "cut", "split_plan"]


@dataclass(frozen=True, slots=True)
class SplitRule:
    """When a file is full: by the bytes of its tensors' data, padding included but not its
    header, or by their number. `bare_first` leaves the first file without tensors.
    """

    max_bytes: int | None = None
    max_tensors: int | None = None
    bare_first: bool = False

    def __post_init__(self) -> None:
        for limit in (self.max_bytes, self.max_tensors):
            if limit is not None and limit < 1:
                raise ValueError(f"{limit} is no limit")


def cut(sizes: Sequence[int], rule: SplitRule) -> list[range]:
    """Which tensors each file gets, from their padded sizes.

    A tensor larger than the limit gets a file of its own. (gguf-split ends with an error
    when it is the first one.)
    """
    files = [range(0)] if rule.bare_first else []
    first = held = 0
    for index, size in enumerate(sizes):
        full = rule.max_bytes is not None and held + size > rule.max_bytes
        full = full or (rule.max_tensors is not None and index % rule.max_tensors == 0)
        if full and index > first:
            files.append(range(first, index))
            first, held = index, 0
        held += size
    return [*files, range(first, len(sizes))]


def split_plan(plan: Plan, rule: SplitRule) -> Plan:
    """The same model in as many files as the rule makes of it; the plan itself if that is one.

    A warning names the largest tensor above the limit. PlanError for more files than a
    reader takes.
    """
    sizes = [padded(tensor.nbytes, plan.alignment) for tensor in plan.tensors]
    files = cut(sizes, rule)
    if len(files) == 1:
        return plan
    if len(files) > MAX_PARTS:
        raise PlanError(
            "the model would be in too many files",
            found=f"{len(files):,}",
            expected=f"at most {MAX_PARTS:,}",
            hint="choose a larger limit",
        )
    keys = tuple(entry for entry in plan.metadata if not entry.key.startswith("split."))
    parts = tuple(
        _part(
            (*(keys if number == 0 else ()), *_split_keys(number, len(files), len(sizes))),
            [plan.tensors[index] for index in file],
            plan.alignment,
        )
        for number, file in enumerate(files)
    )
    return replace(
        plan,
        metadata=parts[0].metadata,
        tensors=tuple(tensor for part in parts for tensor in part.tensors),
        data_offset=parts[0].data_offset,
        file_bytes=sum(part.file_bytes for part in parts),
        split=parts,
        warnings=(*plan.warnings, *_too_large(plan.tensors, sizes, rule)),
    )


def _split_keys(number: int, count: int, tensors: int) -> tuple[KeyValue, ...]:
    """In gguf-split's order: it learns the count last."""
    return (
        KeyValue("split.no", ValueType.UINT16, number),
        i32("split.tensors.count", tensors),
        KeyValue("split.count", ValueType.UINT16, count),
    )


def _part(
    metadata: tuple[KeyValue, ...], tensors: Sequence[TensorPlan], alignment: int
) -> PartPlan:
    placed: list[TensorPlan] = []
    offset = 0
    for tensor in tensors:
        placed.append(replace(tensor, offset=offset))
        offset += padded(tensor.nbytes, alignment)
    data_offset = header_bytes(metadata, placed, alignment)
    return PartPlan(metadata, tuple(placed), alignment, data_offset, data_offset + offset)


def _too_large(
    tensors: Sequence[TensorPlan], sizes: Sequence[int], rule: SplitRule
) -> tuple[str, ...]:
    limit = rule.max_bytes
    if limit is None or max(sizes) <= limit:
        return ()
    number = sum(size > limit for size in sizes)
    largest = max(tensors, key=lambda tensor: tensor.nbytes)
    what = "1 tensor is" if number == 1 else f"{number:,} tensors are"
    return (
        f"{what} larger than the limit of {limit:,} bytes and in a file alone; "
        f"{largest.name} has {largest.nbytes:,}",
    )
