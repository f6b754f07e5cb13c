"""llama.cpp's tokenizer on a finished GGUF, nothing loaded but its vocabulary."""

from __future__ import annotations

import ctypes
from pathlib import Path

import llama_cpp

__all__ = ["NativeTokenizer"]


class NativeTokenizer:
    """Encodes text as llama.cpp does, added tokens recognised."""

    def __init__(self, path: Path) -> None:
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        if not self._model:
            raise ValueError(f"llama.cpp does not load {path}")
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)

    def encode(self, text: str, *, special: bool = False) -> list[int]:
        """Token numbers; `special` adds what the tokenizer adds by itself."""
        raw = text.encode("utf-8")
        room = len(raw) + 8
        tokens = (ctypes.c_int32 * room)()
        count = llama_cpp.llama_tokenize(self._vocab, raw, len(raw), tokens, room, special, True)
        if count < 0:
            raise ValueError(f"{-count} tokens are more than bytes")
        return list(tokens[:count])

    def close(self) -> None:
        """Free the model."""
        llama_cpp.llama_model_free(self._model)
