"""The header of a safetensors file: 8 bytes of length, then JSON, then the tensors' bytes.

The format: https://github.com/huggingface/safetensors#format. As its reference
implementation does, this asks that the tensors fill the data section without gaps, so a
file that was cut, padded or glued together is found out before a weight is read.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from qwq_gguf.checkpoint.files import MIB, parse_object
from qwq_gguf.checkpoint.values import TensorInfo
from qwq_gguf.errors import ShardError, UnsupportedError
from qwq_gguf.files.reading import open_file
from qwq_gguf.foreign import HEAD_BYTES, recognise

__all__ = [
    "MAX_HEADER_BYTES",
    "UNFINISHED",
    "header_length",
    "parse_header",
    "read_header",
]

# A tensor takes some 100 bytes of it, so no real header comes near. (The reference allows 100 MB.)
MAX_HEADER_BYTES = 32 * MIB
UNFINISHED = (".aria2", ".incomplete", ".part", ".crdownload", ".download", ".tmp")
"""What downloads put behind a file's name while they last; aria2 keeps its notes there."""
_MAX_DIMENSIONS = 8
_MAX_SIZE = 2**48

_BITS = {
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}


def read_header(path: Path) -> dict[str, TensorInfo]:
    """The tensors of one file by name, sorted by name.

    ShardError when the file is missing, empty, truncated or contradicts itself;
    UnsupportedError for a dtype the format does not know.
    """
    header, data_start, file_size = _load(path)
    return parse_header(header, path=path, data_start=data_start, file_size=file_size)


def parse_header(
    header: bytes, *, path: Path, data_start: int, file_size: int
) -> dict[str, TensorInfo]:
    """The tensors that the JSON of a header describes, checked against the file's size."""
    fields = parse_object(
        header, path=path, error=ShardError, limit=MAX_HEADER_BYTES, unique=True, what="header"
    )
    metadata = fields.pop("__metadata__", None)
    tensors = {
        name: _tensor(name, entry, path, data_start) for name, entry in sorted(fields.items())
    }
    _check_layout(tensors, path, data_start, file_size)
    return _with_aliases(tensors, metadata)


def _with_aliases(tensors: dict[str, TensorInfo], metadata: Any) -> dict[str, TensorInfo]:
    """What `save_model` leaves out is in the metadata: its name, and the name of the tensor
    that it is the same as.
    """
    aliases: dict[str, list[str]] = {}
    for name, kept in metadata.items() if isinstance(metadata, dict) else ():
        if isinstance(kept, str) and kept in tensors and name not in tensors:
            aliases.setdefault(kept, []).append(name)
    for kept, names in aliases.items():
        tensors[kept] = replace(tensors[kept], aliases=tuple(sorted(names)))
    return tensors


def _load(path: Path) -> tuple[bytes, int, int]:
    try:
        with os.fdopen(open_file(path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(HEAD_BYTES)
            length = header_length(start, path, size)
            header = start[8 : 8 + length]
            header += file.read(length - len(header))
    except OSError as problem:
        raise ShardError(
            f"the shard cannot be read: {problem.strerror or problem}",
            path=path,
            hint="download the checkpoint again",
        ) from problem
    if len(header) == length:
        return header, 8 + length, size
    raise ShardError("the shard changes while it is read", path=path, hint="try again")


def header_length(start: bytes, path: Path, size: int) -> int:
    """The header's length from the first bytes (8 at least, `HEAD_BYTES` if there are) of a
    file of `size` bytes.

    ShardError when no header of that length can be in it, saying what the file is instead.
    """
    _refuse_unfinished(path)
    length = int.from_bytes(start[:8], "little")
    if size < 8:
        what = "is empty" if size == 0 else "is too short to hold a header"
        raise ShardError(
            f"the shard {what}", path=path, found=f"{size} bytes", hint="download it again"
        )
    if start[8:9] != b"{" or length > MAX_HEADER_BYTES:
        foreign = recognise(start, path, size)
        if foreign is not None:
            raise ShardError(f"this is {foreign.what}", path=path, hint=foreign.hint)
    if length > MAX_HEADER_BYTES:
        raise ShardError(
            "the header's length is absurd: this is no safetensors file",
            path=path,
            found=f"{length} bytes",
            expected=f"at most {MAX_HEADER_BYTES}",
        )
    if 8 + length > size:
        raise ShardError(
            "the shard is truncated inside its header",
            path=path,
            found=f"{size} bytes",
            expected=f"at least {8 + length}",
            hint="download it again",
        )
    return length


def _refuse_unfinished(path: Path) -> None:
    for ending in UNFINISHED:
        beside = path.with_name(path.name + ending)
        if beside.exists():
            raise ShardError(
                "this is still being downloaded",
                path=path,
                found=f"{beside.name} beside it",
                hint="let the download finish, or start it again",
            )


def _tensor(name: str, entry: Any, path: Path, data_start: int) -> TensorInfo:
    def broken(message: str, found: object, expected: object = None) -> ShardError:
        return ShardError(f"{name}: {message}", path=path, found=found, expected=expected)

    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
        raise broken("not a tensor entry", str(entry)[:80], "dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    bits = _BITS.get(dtype) if isinstance(dtype, str) else None
    if bits is None:
        raise UnsupportedError(
            f"{name}: unknown data type",
            path=path,
            found=str(dtype)[:40],
            expected="BF16, F16, F32",
        )
    if not _is_sizes(shape, _MAX_SIZE) or len(shape) > _MAX_DIMENSIONS:
        raise broken("the shape is absurd", str(shape)[:80])
    if not _is_sizes(offsets, 2**63 - 1) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise broken("the offsets are absurd", str(offsets)[:80], "begin <= end, both >= 0")
    # Python's integers do not overflow, so the product is exact however large it is.
    size, rest = divmod(math.prod(shape) * bits, 8)
    begin, end = offsets
    if rest or end - begin != size:
        raise broken(
            "its bytes do not match its shape",
            f"{end - begin} bytes",
            f"{size} for {dtype} {shape}",
        )
    return TensorInfo(name, dtype, tuple(shape), path, data_start + begin, size)


def _is_sizes(values: Any, limit: int) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= limit
        for value in values
    )


def _check_layout(
    tensors: dict[str, TensorInfo], path: Path, data_start: int, file_size: int
) -> None:
    position = data_start
    for info in sorted(tensors.values(), key=lambda info: (info.start, info.nbytes)):
        if info.start < position:
            raise ShardError(f"{info.name}: its bytes overlap another tensor's", path=path)
        if info.start + info.nbytes > file_size:
            raise ShardError(
                f"the shard is truncated: {info.name} lies beyond its end",
                path=path,
                found=f"{file_size} bytes",
                expected=f"at least {info.start + info.nbytes}",
                hint="download it again",
            )
        if info.start > position:
            raise ShardError(
                f"{info.start - position} bytes before {info.name} belong to no tensor", path=path
            )
        position += info.nbytes
    if position != file_size:
        raise ShardError(
            "the shard goes on after its last tensor",
            path=path,
            found=f"{file_size} bytes",
            expected=f"{position}",
            hint="download it again",
        )
