"""A GGUF cut into parts as llama.cpp's gguf-split cuts it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qwq_gguf.gguf_file import encode_header, padded, read_gguf
from qwq_gguf.gguf_file.splits import part_path
from qwq_gguf.metadata import KeyValue, ValueType, i32

__all__ = ["cut"]


def cut(path: Path, parts: int, *, bare_first: bool = False) -> tuple[Path, ...]:
    """Write `parts` files beside `path`, tensors in its order, all keys in the first, which
    may have nothing else.
    """
    whole = read_gguf(path)
    raw = path.read_bytes()
    share = -(-len(whole.tensors) // (parts - bare_first))
    made = []
    for number in range(parts):
        keys = [
            *(whole.metadata.values() if number == 0 else ()),
            KeyValue("split.no", ValueType.UINT16, number),
            KeyValue("split.count", ValueType.UINT16, parts),
            i32("split.tensors.count", len(whole.tensors)),
        ]
        tensors, data = [], b""
        at = (number - bare_first) * share
        for tensor in whole.tensors[max(at, 0) : max(at + share, 0)]:
            tensors.append(replace(tensor, offset=len(data)))
            content = raw[tensor.offset :][: tensor.nbytes]
            data += content + bytes(padded(len(content), 32) - len(content))
        made.append(part_path(path, number, parts))
        made[-1].write_bytes(encode_header(keys, tensors) + data)
    return tuple(made)
