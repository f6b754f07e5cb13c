"""Experts that stay in main memory while all else of their layers goes to a card."""

from __future__ import annotations

import ctypes
from typing import Any

from qwq_gguf.native import load_libggml

__all__ = ["Behind"]


class _Override(ctypes.Structure):
    """`llama_model_tensor_buft_override` of llama.h: a pattern, and where what it finds goes."""

    _fields_ = (("pattern", ctypes.c_char_p), ("buft", ctypes.c_void_p))


class Behind:
    """The experts of the first `layers` layers, as llama-server's --n-cpu-moe has it.

    Has to live until the model is loaded.
    """

    def __init__(self, layers: int) -> None:
        self._layers = layers
        self._list = (_Override * (layers + 1))()  # the last one, empty, is the end

    def apply(self, params: Any) -> None:
        """Write them into a `llama_model_params`."""
        if not self._layers:
            return
        library, _ = load_libggml()
        buffer_type = library.ggml_backend_cpu_buffer_type
        buffer_type.restype = ctypes.c_void_p
        for layer in range(self._layers):
            pattern = rf"blk\.{layer}\.ffn_(up|down|gate|gate_up)_exps"
            self._list[layer] = _Override(pattern.encode(), buffer_type())
        params.tensor_buft_overrides = ctypes.cast(self._list, ctypes.c_void_p)
