"""Models that come in several files, `name-00001-of-00003.gguf` and so on.

The first part has the model's keys; each part has `split.no`, `split.count` and
`split.tensors.count` (https://github.com/ggml-org/llama.cpp/tree/master/tools/gguf-split).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from qwq_gguf.errors import GgufError
from qwq_gguf.gguf_file.reader import GgufFile, GgufTensor, read_gguf

__all__ = ["MAX_PARTS", "SplitGguf", "count_parts", "part_path", "read_splits", "whole_path"]

MAX_PARTS = 1000
_NAME = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")


@dataclass(frozen=True, slots=True)
class SplitGguf:
    """A model's files in order; a model in one file is a single part."""

    parts: tuple[GgufFile, ...]

    @property
    def head(self) -> GgufFile:
        """The part with the model's keys."""
        return self.parts[0]

    @property
    def tensors(self) -> tuple[tuple[GgufFile, GgufTensor], ...]:
        """All tensors, each with the part it is in."""
        return tuple((part, tensor) for part in self.parts for tensor in part.tensors)

    @property
    def whole(self) -> GgufFile:
        """The model as if its files were one behind another in one, under the first's name."""
        if len(self.parts) == 1:
            return self.head
        tensors: list[GgufTensor] = []
        start = 0
        for part in self.parts:
            tensors += [replace(tensor, offset=start + tensor.offset) for tensor in part.tensors]
            start += part.file_bytes
        return replace(self.head, tensors=tuple(tensors), file_bytes=start)

    @property
    def file_bytes(self) -> int:
        """Bytes of all parts together."""
        return sum(part.file_bytes for part in self.parts)


def part_path(path: Path, number: int, count: int) -> Path:
    """Where part `number` (from 0) of `count` lies, when `path` is `name.gguf` or a part."""
    stem = whole_path(path).name.removesuffix(".gguf")
    return path.with_name(f"{stem}-{number + 1:05d}-of-{count:05d}.gguf")


def whole_path(path: Path) -> Path:
    """`name.gguf`, when `path` is that or a part of it."""
    match = _NAME.fullmatch(path.name)
    return path.with_name(f"{match[1]}.gguf") if match else path


def read_splits(path: str | Path, read: Callable[[Path], GgufFile] | None = None) -> SplitGguf:
    """The headers of a model's files, given the first of them (or its only one).

    `read` gives the header of a file that may be elsewhere. GgufError when a part is
    missing, belongs to another split or is damaged, or when the parts do not add up to the
    model.
    """
    path = Path(path)
    first = read_gguf(path) if read is None else read(path)
    count = count_parts(first, path)
    parts = [first]
    for index in range(1, count):
        parts.append(_read_part(part_path(path, index, count), index, count, read))
    if count > 1:
        _check_total(parts)
    return SplitGguf(tuple(parts))


def count_parts(first: GgufFile, path: Path) -> int:
    """How many files the model has whose first is `first`, at `path`.

    GgufError when it is another than the first, or has a name by which the others cannot be
    found: then it is a part of a model that looks like a whole one.
    """
    count = first.integer("split.count") or 1
    if count == 1:
        return 1
    if not 1 < count <= MAX_PARTS:
        raise GgufError(
            "claims an impossible number of parts",
            path=path,
            found=count,
            expected=f"1 to {MAX_PARTS}",
        )
    number = first.integer("split.no")
    if number != 0:
        raise GgufError(
            "not the first part of its model",
            path=path,
            found=f"part {number + 1 if number is not None else '?'} of {count}",
            hint=f"name the first one: {part_path(path, 0, count)}",
        )
    if path != part_path(path, 0, count):
        raise GgufError(
            "the first of several parts, under another name",
            path=path,
            found=path.name,
            expected=part_path(path, 0, count).name,
            hint=f"give all {count} parts their names back; this one: "
            + shlex.join(["mv", str(path), str(part_path(path, 0, count))]),
        )
    return count


def _read_part(
    path: Path, number: int, count: int, read: Callable[[Path], GgufFile] | None
) -> GgufFile:
    if read is None and not path.is_file():
        raise GgufError(
            f"part {number + 1} of {count} is missing",
            path=path,
            hint="put all parts in one folder",
        )
    part = read_gguf(path) if read is None else read(path)
    found = (part.integer("split.no"), part.integer("split.count"))
    if found != (number, count):
        raise GgufError(
            "a part of another split",
            path=path,
            found=f"split.no, split.count = {found}",
            expected=f"{(number, count)}",
        )
    return part


def _check_total(parts: list[GgufFile]) -> None:
    names: set[str] = set()
    for part in parts:
        for tensor in part.tensors:
            if tensor.name in names:
                raise GgufError(f"{tensor.name} is in two parts", path=part.path)
            names.add(tensor.name)
    stated = parts[0].integer("split.tensors.count")
    if stated is not None and stated != len(names):
        raise GgufError(
            "the parts do not add up to the model",
            path=parts[0].path,
            found=f"{len(names)} tensors",
            expected=f"{stated} tensors",
        )
