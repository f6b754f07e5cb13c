"""What the rows of tensors are not: a GGUF's headers, sizes and padding, beside the plan that its
recipe makes of its source.

With `compare_with_source` over everything, no byte of a file is left that was not made again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from qwq_gguf.errors import GgufError
from qwq_gguf.files.reading import open_file
from qwq_gguf.gguf_file.layout import encode_header
from qwq_gguf.verification.findings import Finding, difference

if TYPE_CHECKING:
    from qwq_gguf.gguf_file import GgufFile, SplitGguf
    from qwq_gguf.quantization.planning.plan import PartPlan, Plan

__all__ = ["compare_with_plan"]


def compare_with_plan(model: SplitGguf, plan: Plan) -> list[Finding]:
    """Where the files of a model are not as planned. GgufError for one that cannot be read."""
    if len(model.parts) != len(plan.parts):
        what = f"{len(model.parts)} files here, {len(plan.parts)} by the recipe"
        return [difference("recipe", "files", what)]
    return [
        difference("recipe", file.path.name, what)
        for file, part in zip(model.parts, plan.parts, strict=True)
        for what in _differences(file, part)
    ]


def _differences(file: GgufFile, part: PartPlan) -> Iterator[str]:
    header = encode_header(part.metadata, part.tensors, part.alignment)
    try:
        with os.fdopen(open_file(file.path), "rb", buffering=0) as opened:
            descriptor = opened.fileno()
            size = os.fstat(descriptor).st_size
            if size != part.file_bytes:
                yield f"{size:,} bytes here, {part.file_bytes:,} by the recipe"
                return
            if os.pread(descriptor, len(header), 0) != header:
                yield "its header is not the one that the recipe and the options make"
                return
            for start, stop in _gaps(part, len(header)):
                if any(os.pread(descriptor, stop - start, start)):
                    yield f"the padding at byte {start:,} holds something"
    except OSError as problem:
        raise GgufError(f"cannot be read: {problem.strerror or problem}", path=file.path) from None


def _gaps(part: PartPlan, header: int) -> Iterator[tuple[int, int]]:
    """Where a planned file has bytes of no tensor, behind its header."""
    at = header
    for tensor in sorted(part.tensors, key=lambda each: each.offset):
        start = part.data_offset + tensor.offset
        if start > at:
            yield at, start
        at = start + tensor.nbytes
    if part.file_bytes > at:
        yield at, part.file_bytes
