"""Several GGUF files in one, as `cat` makes of the parts of a split model.

Everything then reads the first of them and takes no notice of the rest: a third of a
model, with all of its keys.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from qwq_gguf.errors import GgufError
from qwq_gguf.gguf_file.layout import MAGIC, padded

__all__ = ["refuse_joined"]

_MOST_SAID = 12
_MOST_FOLLOWED = 1000


class _File(Protocol):
    @property
    def path(self) -> Path: ...
    @property
    def alignment(self) -> int: ...
    @property
    def data_offset(self) -> int: ...
    @property
    def data_end(self) -> int: ...
    def integer(self, key: str) -> int | None: ...


def refuse_joined(descriptor: int, size: int, first: _File, read: Callable[[int], _File]) -> None:
    """GgufError, with the commands that take them apart, if another GGUF follows in the file.

    `read` gives the header of a GGUF that begins at an offset in the file.
    """
    starts = [0]
    file = first
    while (after := _next(descriptor, size, starts[-1], file)) is not None:
        starts.append(after)
        if len(starts) > _MOST_FOLLOWED:
            break
        try:
            file = read(after)
        except GgufError:
            break
    if len(starts) > 1:
        raise GgufError(
            "several GGUF files, one behind the other, of which only the first would be read",
            path=first.path,
            found=f"{len(starts)} files",
            expected="one file, or the parts of a model under their own names",
            hint=_cure(first, [*starts, size]),
        )


def _next(descriptor: int, size: int, start: int, file: _File) -> int | None:
    """Where the next file begins: at the end of this one's data, with or without padding."""
    for end in dict.fromkeys((padded(file.data_end, file.alignment), file.data_end)):
        at = start + end
        if at < size and os.pread(descriptor, len(MAGIC), at) == MAGIC:
            return at
    return None


def _cure(first: _File, bounds: list[int]) -> str:
    count = len(bounds) - 1
    whole = count == first.integer("split.count")
    if not whole or count > _MOST_SAID:
        return "download the files again, and leave them as they are: the first one's name will do"
    name = str(first.path)
    stem = name.removesuffix(".gguf")
    parts = [f"{stem}-{number:05d}-of-{count:05d}.gguf" for number in range(1, count + 1)]
    lines = ["take them apart again, then name the first:"]
    for part, start, end in zip(parts, bounds, bounds[1:], strict=False):
        read = shlex.join(["tail", "-c", f"+{start + 1}", name])
        cut = shlex.join(["head", "-c", str(end - start)])
        lines.append(f"{read} | {cut} > {shlex.quote(part)}")
    lines.append(shlex.join(["qwq-gguf", "inspect", parts[0]]))
    return "\n            ".join(lines)
