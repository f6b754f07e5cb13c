"""What llama.cpp's gguf-split makes of a file: its headers, by the installed libggml.

The tool itself is not installed; it is a page of calls of gguf.h, made here in its order.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import llama_cpp

__all__ = ["split_bytes"]


class _InitParams(ctypes.Structure):
    _fields_ = (("no_alloc", ctypes.c_bool), ("ctx", ctypes.POINTER(ctypes.c_void_p)))


def _library() -> ctypes.CDLL:
    folder = Path(llama_cpp.__file__).parent / "lib"
    (path,) = [
        found
        for found in folder.iterdir()
        if found.name.endswith(("ggml-base.so", "ggml-base.dylib", "ggml-base.dll"))
    ]
    library = ctypes.CDLL(str(path))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64
    for name, result, arguments in (
        ("gguf_init_empty", pointer, ()),
        ("gguf_init_from_file", pointer, (text, _InitParams)),
        ("gguf_get_n_tensors", number, (pointer,)),
        ("gguf_get_tensor_name", text, (pointer, number)),
        ("gguf_get_tensor_size", ctypes.c_size_t, (pointer, number)),
        ("gguf_get_tensor_offset", ctypes.c_size_t, (pointer, number)),
        ("gguf_get_data_offset", ctypes.c_size_t, (pointer,)),
        ("gguf_get_meta_size", ctypes.c_size_t, (pointer,)),
        ("gguf_get_meta_data", None, (pointer, pointer)),
        ("gguf_set_kv", None, (pointer, pointer)),
        ("gguf_set_val_u16", None, (pointer, text, ctypes.c_uint16)),
        ("gguf_set_val_i32", None, (pointer, text, ctypes.c_int32)),
        ("gguf_add_tensor", None, (pointer, pointer)),
        ("gguf_free", None, (pointer,)),
        ("ggml_get_tensor", pointer, (pointer, text)),
        ("ggml_free", None, (pointer,)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def split_bytes(whole: Path, files: Sequence[Sequence[str]]) -> list[bytes]:
    """The files that gguf-split writes when it puts these tensors of `whole` into each."""
    ggml = _library()
    tensors = ctypes.c_void_p()
    model = ggml.gguf_init_from_file(
        str(whole).encode(), _InitParams(True, ctypes.pointer(tensors))
    )
    if not model:
        raise ValueError(f"{whole} is not read by libggml")
    content, start = whole.read_bytes(), ggml.gguf_get_data_offset(model)
    total = ggml.gguf_get_n_tensors(model)
    data: dict[str, bytes] = {}
    for index in range(total):
        at = start + ggml.gguf_get_tensor_offset(model, index)
        size = ggml.gguf_get_tensor_size(model, index)
        padded = content[at : at + size] + bytes(-size % 32)
        data[ggml.gguf_get_tensor_name(model, index).decode()] = padded
    made: list[bytes] = []
    for number, names in enumerate(files):
        part = ggml.gguf_init_empty()
        if number == 0:
            ggml.gguf_set_kv(part, model)
        ggml.gguf_set_val_u16(part, b"split.no", number)
        ggml.gguf_set_val_u16(part, b"split.count", 0)
        ggml.gguf_set_val_i32(part, b"split.tensors.count", total)
        for name in names:
            ggml.gguf_add_tensor(part, ggml.ggml_get_tensor(tensors, name.encode()))
        ggml.gguf_set_val_u16(part, b"split.count", len(files))
        header = ctypes.create_string_buffer(ggml.gguf_get_meta_size(part))
        ggml.gguf_get_meta_data(part, header)
        made.append(header.raw + b"".join(data[name] for name in names))
        ggml.gguf_free(part)
    ggml.gguf_free(model)
    ggml.ggml_free(tensors)
    return made
