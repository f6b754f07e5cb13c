"""Scores of llama.cpp for every next token, from a finished GGUF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import llama_cpp
import numpy as np
from numpy.typing import NDArray

__all__ = ["native_logits"]


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _quiet(level: int, text: bytes, user_data: object) -> None:
    """llama.cpp cuts what it logs of a vocabulary in the midst of a character."""


def native_logits(path: Path, tokens: Sequence[int]) -> NDArray[np.float32]:
    """What stands after these tokens, by token number."""
    llama_cpp.llama_log_set(_quiet, None)
    params = llama_cpp.llama_model_default_params()
    params.n_gpu_layers = 0
    params.use_extra_bufts = False  # AMX faults on some machines that announce it
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        raise ValueError(f"llama.cpp does not load {path}")
    settings = llama_cpp.llama_context_default_params()
    settings.n_ctx = 64
    settings.n_threads = settings.n_threads_batch = 1
    settings.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
    settings.type_k = settings.type_v = llama_cpp.GGML_TYPE_F32
    context = llama_cpp.llama_init_from_model(model, settings)
    try:
        if not context:
            raise ValueError(f"llama.cpp makes no context for {path}")
        ids = (llama_cpp.llama_token * len(tokens))(*tokens)
        if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(ids, len(tokens))):
            raise ValueError(f"llama.cpp does not compute {path}")
        size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
        scores = llama_cpp.llama_get_logits_ith(context, -1)
        return np.ctypeslib.as_array(scores, (size,)).copy()
    finally:
        if context:
            llama_cpp.llama_free(context)
        llama_cpp.llama_model_free(model)
