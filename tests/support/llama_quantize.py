"""llama.cpp's own quantizer, the oracle for plans and bytes."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import llama_cpp
import numpy as np

from qwq_gguf.ggml_types import FileType, GgmlType
from qwq_gguf.metadata import KeyValue, text_bytes

_LINE = re.compile(r"\[ *\d+/ *\d+\] +(\S+) +- \[[^]]*\], type = +(\w+), (.*)")
_NEW_TYPE = re.compile(r"-> +[\d.]+ MiB \((\w+)\)")


class LlamaQuantizeError(Exception):
    """llama_model_quantize refused; the text is its log."""


def quantize(
    source: Path,
    out: Path,
    file_type: FileType,
    *,
    dry_run: bool = False,
    imatrix: Mapping[str, np.ndarray] | None = None,
    keys: Sequence[KeyValue] = (),
    overrides: Sequence[tuple[str, GgmlType]] = (),
    output: GgmlType | None = None,
    token_embedding: GgmlType | None = None,
    pure: bool = False,
    requantize: bool = False,
) -> str:
    """Run it and return its log. `keys` (texts and u32) are set as llama-quantize sets its own."""
    params = llama_cpp.llama_model_quantize_default_params()
    params.nthread = 2
    params.ftype = int(file_type)
    params.dry_run = dry_run
    params.pure = pure
    params.allow_requantize = requantize
    if output is not None:
        params.output_tensor_type = int(output)
    if token_embedding is not None:
        params.token_embedding_type = int(token_embedding)
    keep: list[object] = []  # what C still points at
    if imatrix is not None:
        entries = (llama_cpp.llama_model_imatrix_data * (len(imatrix) + 1))()
        for entry, (name, values) in zip(entries, imatrix.items(), strict=False):
            data = np.ascontiguousarray(values, dtype=np.float32)
            keep.append(data)
            entry.name = name.encode()
            entry.data = data.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
            entry.size = data.size
        params.imatrix = entries
    if keys:
        params.kv_overrides = ctypes.cast(_key_overrides(keys), type(params.kv_overrides))
    if overrides:
        patterns = (llama_cpp.llama_model_tensor_override * (len(overrides) + 1))()
        for slot, (pattern, kind) in zip(patterns, overrides, strict=False):
            slot.pattern = pattern.encode()
            slot.type = int(kind)
        params.tt_overrides = patterns
    log: list[str] = []

    def collect(level: int, message: bytes, data: object) -> None:
        log.append(message.decode("utf-8", "replace"))

    callback = llama_cpp.llama_log_callback(collect)
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    try:
        failed = llama_cpp.llama_model_quantize(
            str(source).encode(), str(out).encode(), ctypes.byref(params)
        )
    finally:
        llama_cpp.llama_log_set(_SILENT, ctypes.c_void_p(0))
    if failed:
        raise LlamaQuantizeError("".join(log))
    return "".join(log)


def _key_overrides(keys: Sequence[KeyValue]) -> ctypes.Array[llama_cpp.llama_model_kv_override]:
    slots = (llama_cpp.llama_model_kv_override * (len(keys) + 1))()  # the last one stays empty
    for slot, entry in zip(slots, keys, strict=False):
        slot.key = entry.key.encode()
        if isinstance(entry.value, str):
            slot.tag = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_STR
            slot.value.val_str = text_bytes(entry.value)
        else:
            slot.tag = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_INT
            slot.value.val_i64 = entry.value
    return slots


# Kept for good: C may call it as long as the process lives.
_SILENT = llama_cpp.llama_log_callback(lambda level, message, data: None)


def decided_types(log: str) -> dict[str, GgmlType]:
    """The type of each tensor in a dry run's log; an unchanged one shows its own."""
    types: dict[str, GgmlType] = {}
    for match in _LINE.finditer(log):
        name, old, rest = match.groups()
        new = _NEW_TYPE.search(rest)
        types[name] = GgmlType[(new[1] if new else old).upper()]
    return types
