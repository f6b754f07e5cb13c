"""How fast a placed model should write, by the memories it is in and what computes there. Pure.

To write a token, all weights that it asks are read once, and the cache so far. On a card the time
is that of reading them, plus a little in each layer. In main memory it is what this processor was
seen to take for weights of these types; where nobody has seen it, that of reading them. All of it
is an estimate, and called one.
"""

from __future__ import annotations

from qwq_gguf.machine.batches import ONE_THREAD_BYTES
from qwq_gguf.machine.devices import Device, Machine
from qwq_gguf.machine.model_size import ModelShape, WeightBytes
from qwq_gguf.machine.placing import Placement

__all__ = ["CPU_SHARE", "TIMED_SHARE", "seconds_a_token"]

# Of a card's published bandwidth three quarters come to use, each layer waits some 30 microseconds
# for its kernels to start, and each token of the vocabulary takes 3 nanoseconds to be brought here
# and picked from. What owners report: on an RTX 3090 gemma-3-4b Q4_K_M writes 189 tokens a second
# (https://calebcoffie.com/benchmarks/gemma-3-4b-it-gguf) where this says 187, on an RTX 4090 27 B
# at 4 bits 44 (https://omkamal.github.io/articles/qwopus-mtp-2x/qwopus-mtp-2x.html) where it says
# 41.
_CARD_SHARE, _CARD_LAYER, _CARD_ENTRY = 0.76, 30e-6, 3e-9
# Unpacking blocks keeps up with no more: an H200, whose bandwidth is 4.8 TB/s, reads 1.8 TB/s of
# Q4_K (docs/builds.md).
_MOST_READ = 1.8e12
# The measured bandwidth of main memory is that of programs already; unpacking blocks takes some.
CPU_SHARE = 0.85
_CPU_LAYER = 20e-6
# Of the time that weights and layers of a real token take, zeros show five sixths: norms and
# rotations of wide layers and the picking of the token are not in it (docs/memory.md).
TIMED_SHARE = 0.83


def seconds_a_token(
    shape: ModelShape,
    weights: WeightBytes,
    machine: Machine,
    placed: Placement,
    tokens: int,
) -> float:
    """Seconds for one token with `tokens` in the cache."""
    first = placed.layers - placed.gpu_layers
    tokens = min(tokens, placed.context)
    cache = shape.cache_bytes(tokens, placed.kind)
    on_card = in_ram = 0.0
    for number, layer in enumerate(weights.layers):
        experts = layer.experts * weights.active
        common = layer.common + cache[number]
        if number < first:
            in_ram += common + experts
        elif number < placed.cpu_experts:
            on_card, in_ram = on_card + common, in_ram + experts
        else:
            on_card += common + experts
    if placed.gpu_layers:
        on_card += weights.output
    else:
        in_ram += weights.output
    time = _in_main_memory(shape, weights, machine.ram, placed, tokens, in_ram)
    if machine.cards and placed.gpu_layers:
        kept = sum(cache[first:])
        time += _on_cards(shape, weights, machine, placed, on_card - kept, kept)
    return time


def _on_cards(
    shape: ModelShape,
    weights: WeightBytes,
    machine: Machine,
    placed: Placement,
    nbytes: float,
    kept: int,
) -> float:
    """Seconds for what is computed there: `nbytes` of weights, `kept` of cache."""
    pace = machine.card_pace
    if pace is None or not weights.kinds:
        # One card after the other: each reads its part while the others wait.
        slowest = min(card.bandwidth for card in machine.cards)
        read = min(slowest * _CARD_SHARE, _MOST_READ)
        picking = shape.vocabulary * _CARD_ENTRY
        return (nbytes + kept) / read + placed.gpu_layers * _CARD_LAYER + picking
    return pace.time(
        layers=placed.gpu_layers,
        nbytes=nbytes,
        kinds=weights.kinds,
        kept=kept,
        cache=placed.kind,
        vocabulary=shape.vocabulary,
    )


def _in_main_memory(
    shape: ModelShape,
    weights: WeightBytes,
    ram: Device,
    placed: Placement,
    tokens: int,
    nbytes: float,
) -> float:
    """Seconds for what is computed there: `nbytes` of weights and cache."""
    first = placed.layers - placed.gpu_layers
    layers = max(first, placed.cpu_experts)
    if ram.pace is None or not weights.kinds:
        return nbytes / (ram.bandwidth * CPU_SHARE) + layers * _CPU_LAYER
    pace = ram.pace
    kept = sum(shape.cache_bytes(tokens, placed.kind)[:first])
    attending = sum(any(row) for row in shape.cache.rows[:first])
    threads, far = 1, pace.far
    if weights.total < ONE_THREAD_BYTES:
        # A tiny model one thread computes alone, from a cache.
        threads, far = pace.threads, 0.0
        if pace.alone is not None:
            threads, pace = 1, pace.alone
    rows = dict(weights.rows)
    a_byte = sum(
        part * (pace.byte(kind) + far + rows.get(kind, 0.0) * pace.row(kind))
        for kind, part in weights.kinds
    )
    computed = threads * (nbytes - kept) * a_byte + layers * pace.layer
    attended = attending * tokens * shape.query * pace.query(placed.kind, shape.cache.head[0])
    return computed / TIMED_SHARE + threads * attended + kept * far
