"""How long the library takes here for one token where cards compute: timed in a child, on models
of zeros that are wholly on the cards.

There the parts add up as they do on a processor, but others count: kernels are started for each
layer however little they do, the logits come back over the bus, and the token is picked here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from qwq_gguf.engine.llama.library import load
from qwq_gguf.engine.llama.native_chain import NativeChain
from qwq_gguf.engine.loading.pace_timing import NO_WEIGHTS, Timer, one_kind
from qwq_gguf.engine.loading.raw_model import Refusal
from qwq_gguf.engine.loading.zero_model import TOKENS, ZeroModel
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.sampling import Dist, SamplerChain, Temperature, TopK
from qwq_gguf.temporary import temporary_folder

__all__ = ["card_paces"]

_CHAIN = SamplerChain((Temperature(0.6), TopK(40), Dist()))
_CACHES = (GgmlType.F16, GgmlType.Q8_0, GgmlType.Q4_0)
_USUAL = "F16"
_WARM = 0.4  # seconds until a card that rested has its clocks
_TIMES = 20

# As wide as layers of half a billion weights, with little in it.
_LAYERS = ZeroModel(1024, 256, heads=8, kv_heads=2, kinds=one_kind(GgmlType.Q8_0), layers=24)
_FEW = 4
# A layer of eight billion weights: narrower matrices don't keep a card busy.
_WEIGHTS = ZeroModel(4096, 12288, heads=32, kv_heads=8, kinds=one_kind(GgmlType.Q8_0))
_VOCABULARY = replace(_LAYERS, layers=1, tokens=131_072)
# Heads as most large models have them, 32 and 8.
_ATTENTION = replace(_WEIGHTS, feed_forward=256, layers=4, context=8192 + 512)
_FILLED, _BATCH = 8192, 512


def card_paces(arguments: Mapping[str, Any]) -> Mapping[str, object]:
    """All of it as `machine.card_pace.CardPace` reads it; a type that this library does not take
    is left out. `large` bytes of weights are more than any cache of a card holds.
    """
    library = load()
    with temporary_folder() as folder:
        timer = Timer(library, arguments, folder)
        _warm(timer)
        few = {kind.name: _token(timer, replace(_LAYERS, layers=_FEW), kind) for kind in _CACHES}
        layer = {
            kind.name: (_token(timer, _LAYERS, kind) - few[kind.name]) / (_LAYERS.layers - _FEW)
            for kind in _CACHES
        }
        usual = layer[_USUAL]
        token = max(0.0, few[_USUAL] - _FEW * usual)
        weights: dict[str, float] = {}
        for kind in GgmlType:
            if kind.name not in NO_WEIGHTS:
                with suppress(Refusal):
                    weights[kind.name] = _weights(timer, kind, token, usual)
        cache: dict[str, float] = {}
        for kind in _CACHES:
            with suppress(Refusal):
                cache[kind.name] = _attention(timer, kind)
        entry = _entry(timer, token + usual)
    # The layers' own weights were timed with them.
    inside = _LAYERS.layer_bytes() * weights.get(GgmlType.Q8_0.name, 0.0)
    return {
        "token": token,
        "entry": entry,
        "layer": {name: max(0.0, each - inside) for name, each in layer.items()},
        "weights": weights,
        "cache": cache,
    }


def _warm(timer: Timer) -> None:
    end = time.perf_counter() + _WARM
    while time.perf_counter() < end:
        _token(timer, replace(_LAYERS, layers=_FEW))


def _token(timer: Timer, shape: ZeroModel, cache: GgmlType | None = None) -> float:
    with timer.context(shape, cache) as context:
        return _median(partial(_step, timer, context))


def _step(timer: Timer, context: Any) -> None:
    # Whoever asks for the logits waits for the card.
    timer.decode(context, 1)
    timer.library.api.llama_synchronize(context)


def _weights(timer: Timer, kind: GgmlType, token: float, layer: float) -> float:
    """Seconds a byte."""
    shape = replace(_WEIGHTS, kinds=one_kind(kind))
    large: int = timer.arguments["large"]
    layers = max(1, round(large / shape.layer_bytes()))
    took = _token(timer, replace(shape, layers=layers)) - token - layers * layer
    return max(0.0, took) / (layers * shape.layer_bytes())


def _attention(timer: Timer, kind: GgmlType) -> float:
    """Seconds for each byte of a cache that is filled."""
    kept = _ATTENTION.width // _ATTENTION.heads * _ATTENTION.kv_heads
    filled = 2 * kind.row_bytes(kept) * _FILLED * _ATTENTION.layers
    with timer.context(_ATTENTION, kind) as context:
        empty = _median(partial(_step, timer, context))
        for _ in range(_FILLED // _BATCH):
            timer.decode(context, _BATCH)
        full = _median(partial(_step, timer, context))
    return max(0.0, full - empty) / filled


def _entry(timer: Timer, least: float) -> float:
    """Seconds for each token of a vocabulary: its logit is brought here and picked from, as with
    most settings, by temperature and from the likeliest 40.
    """
    size = _VOCABULARY.tokens
    with (
        timer.context(_VOCABULARY) as context,
        NativeChain(timer.library, _CHAIN, seed=1, vocab_size=size, context_size=size) as chain,
    ):
        took = _median(partial(_step, timer, context))
        # Zeros would all be equally likely, and no token is picked from such.
        pointer = timer.library.api.llama_get_logits_ith(context, -1)
        np.ctypeslib.as_array(pointer, (size,))[:] = np.random.default_rng(0).standard_normal(size)
        took += _median(partial(chain.sample, context))
    return max(0.0, took - least) / (size - TOKENS)


def _median(work: Callable[[], object]) -> float:
    """Seconds, of some; the first ones prepare what the others use again."""
    took: list[float] = []
    for _ in range(_TIMES + 2):
        before = time.perf_counter()
        work()
        took.append(time.perf_counter() - before)
    return median(took[2:])
