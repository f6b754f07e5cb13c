"""One model over several cards and machines, as vLLM divides it. Pure.

What vLLM demands of the numbers: the heads of attention are a multiple of the tensor parallel size
(ModelConfig.verify_with_parallel_config); heads of keys and values are shared out or, where there
are fewer of them, repeated; a layer is in one stage of the pipeline (vllm/config/model.py,
vllm/config/parallel.py). Several machines meet through Ray.
"""

from __future__ import annotations

from dataclasses import dataclass

from qwq_gguf.errors import ExportError
from qwq_gguf.words import human_bytes

__all__ = ["Cards", "Cluster", "Needs", "plan_cluster"]

_USED = 0.9  # of a card; vLLM's --gpu-memory-utilization is 0.9 or a little more
_HEAD = """#!/bin/sh
# On the first machine, before vllm.sh. All have the same vLLM, and the file under the same path.
exec ray start --head --port=6379 --num-gpus={cards} "$@"
"""
_WORKER = """#!/bin/sh
# On each of the other machines: HEAD=ADDRESS sh ray-worker.sh
exec ray start --address="${{HEAD:?set it to the address of the first machine}}:6379" \\
    --num-gpus={cards} "$@"
"""


@dataclass(frozen=True, slots=True)
class Cards:
    """`each` cards of `memory` bytes in each of `machines`."""

    machines: int
    each: int
    memory: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a model brings: heads of attention, those of keys and values (None where all cards hold
    the same ones, as of a latent attention), layers, bytes of weights and of a token's cache.
    """

    heads: int
    kv_heads: int | None
    layers: int
    weights: int
    token: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """A model on cards: each layer over `tensor` of them, the layers in `pipeline` stages.

    `tokens` is how much context all requests share, in tokens.
    """

    cards: Cards
    tensor: int
    pipeline: int
    weights_a_card: int
    tokens: int

    @property
    def idle(self) -> int:
        """Cards that nothing goes to."""
        return self.cards.machines * self.cards.each - self.tensor * self.pipeline

    def words(self) -> list[str]:
        """For `vllm serve`."""
        found = [f"--tensor-parallel-size {self.tensor}"]
        if self.pipeline > 1:
            found.append(f"--pipeline-parallel-size {self.pipeline}")
        if self.cards.machines > 1:
            found.append("--distributed-executor-backend ray")
        return found

    def files(self) -> dict[str, str]:
        """What starts Ray on each machine."""
        if self.cards.machines == 1:
            return {}
        each = {"cards": self.cards.each}
        return {"ray-head.sh": _HEAD.format(**each), "ray-worker.sh": _WORKER.format(**each)}

    def told(self) -> tuple[str, ...]:
        """Sentences about the division."""
        found = [
            f"{human_bytes(self.weights_a_card)} of weights on each of "
            f"{self.tensor * self.pipeline} cards, and room for {self.tokens:,} tokens of all "
            "requests together"
        ]
        if self.idle:
            found.append(
                f"{self.idle} of the cards have nothing to do: {self.tensor} is the most that "
                "this model's heads divide by"
            )
        return tuple(found)


def plan_cluster(needs: Needs, cards: Cards, context: int) -> Cluster:
    """The widest tensor parallelism that a machine's cards and the heads allow, and a stage for
    each group of so many cards.

    ExportError where the weights, or a request of `context` tokens, do not go in.
    """
    tensor = max(size for size in range(1, cards.each + 1) if _divides(size, needs))
    pipeline = min(cards.machines * (cards.each // tensor), needs.layers)
    weights = -(-needs.weights // (tensor * pipeline))
    room = int(cards.memory * _USED) - weights
    shared = 1 if needs.kv_heads is None else min(tensor, needs.kv_heads)
    tokens = max(0, room) * shared * pipeline // max(1, needs.token)
    if tokens < context:
        lack = "the weights" if room <= 0 else f"a context of {context:,} tokens"
        raise ExportError(
            f"there is no room for {lack} on these cards",
            found=f"{cards.machines} x {cards.each} cards of {human_bytes(cards.memory)}, "
            f"{human_bytes(weights)} of weights on each, room for {tokens:,} tokens",
            hint="more cards, a smaller quant, or a profile with a smaller context",
        )
    return Cluster(cards, tensor, pipeline, weights, tokens)


def _divides(size: int, needs: Needs) -> bool:
    if needs.heads % size:
        return False
    shared = needs.kv_heads
    return shared is None or shared % size == 0 or size % shared == 0
