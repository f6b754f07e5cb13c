"""A model and a context as the library makes them, for child processes that only try something."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from qwq_gguf.engine.llama.library import Library

__all__ = ["Refusal", "load_model", "new_context"]


class Refusal(Exception):
    """The library came back and said no."""


def load_model(library: Library, arguments: Mapping[str, Any], *, weights: bool) -> Any:
    """The llama_model of `path`, or Refusal. Without `weights` all memory is simulated."""
    api = library.api
    params = api.llama_model_default_params()
    params.n_gpu_layers = arguments["gpu_layers"]
    params.use_extra_bufts = arguments["use_extra_bufts"]
    params.no_alloc = not weights
    if not weights or not arguments["mmap"]:
        params.load_mode = api.LLAMA_LOAD_MODE_NONE
    library.log.clear()
    model = api.llama_model_load_from_file(os.fsencode(arguments["path"]), params)
    if not model:
        raise Refusal(library.log.reason() or "llama_model_load_from_file failed")
    return model


def new_context(
    library: Library,
    model: Any,
    *,
    n_ctx: int,
    threads: int,
    batch: int = 64,
    cache: int | None = None,
) -> Any:
    """A llama_context of it, or Refusal. `cache` is the number of the type of keys and values."""
    api = library.api
    params = api.llama_context_default_params()
    params.n_ctx = n_ctx
    params.n_batch = params.n_ubatch = batch
    params.n_threads = params.n_threads_batch = threads
    if cache is not None:
        params.type_k = params.type_v = cache
    library.log.clear()
    context = api.llama_init_from_model(model, params)
    if not context:
        raise Refusal(library.log.reason() or "llama_init_from_model failed")
    return context
