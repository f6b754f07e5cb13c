"""How long the library's kernels take here for one token: timed in a child, on models of zeros.

What is small enough for a cache tells what computing takes, by type of weights; what is larger than
any cache, how much longer it takes where weights come from main memory. Some processors do both at
once, some hardly; so that is measured, and not taken from the memory's bandwidth. A row takes its
time whatever its length, and small models have short ones: each type is timed in two. Attention is
timed by the size of heads: llama.cpp has other code for some, up to seven times as slow a number.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from qwq_gguf.engine.llama.library import Library, load
from qwq_gguf.engine.loading.raw_model import Refusal, load_model, new_context
from qwq_gguf.engine.loading.zero_model import LAYER_MATRICES, TOKENS, ZeroModel
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.temporary import temporary_folder

__all__ = ["NO_WEIGHTS", "Timer", "one_kind", "paces"]

# Types that no matrix of weights has.
NO_WEIGHTS = frozenset({"I8", "I16", "I32", "I64", "F64", "Q8_1", "Q8_K"})
_CACHES = (GgmlType.F16, GgmlType.Q8_0, GgmlType.Q4_0)
_LARGE = GgmlType.Q4_K  # of most files' weights
_SECONDS, _LEAST, _MOST = 0.03, 5, 60  # of one kind, and how often at least and at most
_HEADS = (32, 64, 128, 256)  # numbers in a head: llama.cpp's attention is not as fast with all
_FILLED = 512  # tokens in the cache, and in a batch


def one_kind(kind: GgmlType) -> dict[str, GgmlType]:
    """The types of a model of zeros whose layers are of one."""
    ends = {"token_embd": GgmlType.F32, "output": GgmlType.F32}
    return dict.fromkeys(LAYER_MATRICES, kind) | ends


# 28 million weights a layer, 16 MB in four bits.
_WEIGHTS = ZeroModel(2048, 3072, heads=16, kv_heads=2, kinds=one_kind(GgmlType.Q8_0))
# As many in rows of 512, with a few long ones.
_SHORT = replace(_WEIGHTS, width=512, feed_forward=18432, heads=8)
_NARROW = replace(_WEIGHTS, width=256, feed_forward=256, heads=2, layers=8)
# 3 million weights, as a model has them that one thread computes.
_TINY = replace(_WEIGHTS, width=256, feed_forward=768, heads=4, layers=4)
_ATTENTION = replace(_WEIGHTS, width=1024, feed_forward=256, context=1024)


@dataclass(frozen=True, slots=True)
class Timer:
    """Models of zeros, made in `folder` one after the other, and how fast they are."""

    library: Library
    arguments: Mapping[str, Any]
    folder: Path

    @contextmanager
    def context(self, shape: ZeroModel, cache: GgmlType | None = None) -> Iterator[Any]:
        api, path = self.library.api, self.folder / "zero.gguf"
        shape.write(path)
        try:
            asked = {**self.arguments, "path": str(path)}
            model = load_model(self.library, asked, weights=True)
            try:
                context = new_context(
                    self.library,
                    model,
                    n_ctx=shape.context,
                    threads=self.arguments["threads"],
                    batch=_FILLED,
                    cache=cache,
                )
                yield context
                api.llama_free(context)
            finally:
                api.llama_model_free(model)
        finally:
            path.unlink()

    def decode(self, context: Any, count: int) -> None:
        api = self.library.api
        tokens = (ctypes.c_int32 * count)(*(at % TOKENS for at in range(count)))
        if api.llama_decode(context, api.llama_batch_get_one(tokens, count)) != 0:
            raise Refusal(self.library.log.reason() or "llama_decode failed")

    def token(self, context: Any) -> float:
        """Seconds for one token, the median of some."""
        self.decode(context, 1)
        took: list[float] = []
        while len(took) < _LEAST or (sum(took) < _SECONDS and len(took) < _MOST):
            before = time.perf_counter()
            self.decode(context, 1)
            took.append(time.perf_counter() - before)
        return median(took)

    def layer(self) -> float:
        """Seconds for a layer of next to no weights."""
        with self.context(_NARROW) as context:
            return self.token(context) / _NARROW.layers

    def weights(
        self, kind: GgmlType, layer: float, layers: int = 1, like: ZeroModel = _WEIGHTS
    ) -> float:
        """Seconds a byte."""
        shape = replace(like, kinds=one_kind(kind), layers=layers)
        with self.context(shape) as context:
            took = self.token(context) / layers - layer
        return max(0.0, took) / shape.layer_bytes()

    def attention(self, kind: GgmlType, head: int) -> float:
        """Seconds for each number of a query and token in the cache."""
        shape = replace(_ATTENTION, heads=_ATTENTION.width // head)
        with self.context(shape, kind) as context:
            empty = self.token(context)
            self.decode(context, _FILLED)
            full = self.token(context)
        return max(0.0, full - empty) / (shape.width * _FILLED)


def paces(arguments: Mapping[str, Any]) -> Mapping[str, object]:
    """All of it, by the names of types, with weights of `large` bytes for what is in no cache; a
    type that this library does not take is left out.
    """
    library = load()
    with temporary_folder() as folder:
        timer = Timer(library, arguments, folder)
        layer = timer.layer()
        weights, short = (_weights(timer, layer, like) for like in (_WEIGHTS, _SHORT))
        attention = _attention(timer)
        layers = arguments["large"] // replace(_WEIGHTS, kinds=one_kind(_LARGE)).layer_bytes()
        main = timer.weights(_LARGE, layer, max(1, layers))
        one = Timer(library, {**arguments, "threads": 1}, folder)
        alone = one.layer()
        return {
            "threads": arguments["threads"],
            "layer": layer,
            "weights": weights,
            "attention": attention,
            "short": short,
            "main": {_LARGE.name: main},
            "lengths": [_WEIGHTS.row_length(), _SHORT.row_length()],
            "alone": {
                "threads": 1,
                "layer": alone,
                "weights": _weights(one, alone, _TINY),
                "attention": _attention(one),
                "lengths": [_TINY.row_length(), 1],
            },
        }


def _weights(timer: Timer, layer: float, like: ZeroModel) -> dict[str, float]:
    found = {}
    for kind in GgmlType:
        if kind.name not in NO_WEIGHTS:
            with suppress(Refusal):
                found[kind.name] = timer.weights(kind, layer, like.layers, like)
    return found


def _attention(timer: Timer) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {str(head): {} for head in _HEADS}
    for head, kind in product(_HEADS, _CACHES):
        with suppress(Refusal):
            found[str(head)][kind.name] = timer.attention(kind, head)
    return found
