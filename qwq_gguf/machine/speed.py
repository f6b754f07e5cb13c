"""How fast a placed model should write, from the bandwidth of the memories it is in. Pure.

To write a token, all weights that it asks are read once, and the cache so far. So the time is that
of reading them, plus a little in each layer. What is said is an estimate, and called one.
"""

from __future__ import annotations

from qwq_gguf.machine.devices import Machine
from qwq_gguf.machine.model_size import ModelShape, WeightBytes
from qwq_gguf.machine.placing import Placement

__all__ = ["CPU_SHARE", "seconds_a_token"]

# Of a card's published bandwidth two thirds come to use, and each layer waits some 30 microseconds
# for its kernels to start. Between what owners report: on an RTX 3090 gemma-3-4b Q4_K_M writes 189
# tokens a second (https://calebcoffie.com/benchmarks/gemma-3-4b-it-gguf) where this says 196, on an
# RTX 4090 27 B at 4 bits 44 (https://omkamal.github.io/articles/qwopus-mtp-2x/qwopus-mtp-2x.html)
# where it says 37.
_CARD_SHARE, _CARD_LAYER = 0.65, 30e-6
# The measured bandwidth of main memory is that of programs already; unpacking blocks takes some.
CPU_SHARE = 0.85
_CPU_LAYER = 20e-6


def seconds_a_token(
    shape: ModelShape,
    weights: WeightBytes,
    machine: Machine,
    placed: Placement,
    tokens: int,
) -> float:
    """Seconds for one token with `tokens` in the cache."""
    first = placed.layers - placed.gpu_layers
    cache = shape.cache_bytes(min(tokens, placed.context), placed.kind)
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
    time = in_ram / (machine.ram.bandwidth * CPU_SHARE)
    time += max(first, placed.cpu_experts) * _CPU_LAYER
    if machine.cards and placed.gpu_layers:
        # One card after the other: each reads its part while the others wait.
        slowest = min(card.bandwidth for card in machine.cards)
        time += on_card / (slowest * _CARD_SHARE) + placed.gpu_layers * _CARD_LAYER
    return time
