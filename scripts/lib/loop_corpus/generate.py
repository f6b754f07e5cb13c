"""Texts really generated: several sequences at once in one context, each with its own chain."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from loop_corpus.criterion import copied, exact_tail
from loop_corpus.measure import FLOOR
from qwq_gguf.engine.llama.context_settings import ContextSettings
from qwq_gguf.engine.llama.kv_context import KvContext
from qwq_gguf.engine.llama.native_stages import init_stage
from qwq_gguf.engine.model import Model
from qwq_gguf.sampling import SamplerChain
from qwq_gguf.sampling.stages import LogitBias, Stage

__all__ = ["Job", "Made", "generate"]


class _Apart(ContextSettings):
    """Each sequence has a cache of its own, so that none looks through those of the others."""

    def apply(self, api: Any, params: Any) -> None:
        ContextSettings.apply(self, api, params)
        params.kv_unified = False


_CHECK_EVERY = 32
# An exact loop of so many rounds is cut, once a detector has had all the time it is given.
_REPEATS = 4
_HOPE = 320  # tokens, after which a text that does not repeat itself at all is left


@dataclass(frozen=True, slots=True)
class Job:
    """What to generate: prompt tokens, a chain, the tokens it never picks, a seed, the most."""

    prompt: tuple[int, ...]
    chain: SamplerChain
    never: tuple[int, ...]
    seed: int
    most: int
    about: dict[str, Any]


@dataclass(slots=True)
class Made:
    """What came of it; `end` is eog, length, loop (cut short) or hopeless (left)."""

    job: Job
    tokens: list[int] = field(default_factory=list)
    end: str = ""


def generate(model: Model, jobs: Sequence[Job], together: int) -> Iterator[Made]:
    """All jobs, `together` at a time, in the order in which they end.

    The same jobs, file, library and processor make the same texts.
    """
    api: Any = model.library.api
    context = KvContext(model, _Apart(sequences=together))
    with ExitStack() as stack:
        handle = stack.enter_context(context.owned)
        memory = api.llama_get_memory(handle)
        size = context.batch_size
        batch = api.llama_batch_init(size, 0, 1)
        stack.callback(api.llama_batch_free, batch)
        waiting = list(reversed(jobs))
        slots: dict[int, _Slot] = {}
        while waiting or slots:
            for number in range(together):
                if number not in slots and waiting:
                    slot = slots[number] = _Slot(api, model, waiting.pop())
                    slot.next = slot.read_prompt(api, handle, batch, number, size)
            for number, slot in list(slots.items()):
                if slot.take(model.eog_tokens):
                    continue
                yield slot.made
                api.llama_sampler_free(slot.sampler)
                api.llama_memory_seq_rm(memory, number, -1, -1)
                del slots[number]
            if slots:
                _step(api, handle, batch, slots)


class _Slot:
    """One sequence."""

    def __init__(self, api: Any, model: Model, job: Job) -> None:
        self.made = Made(job)
        self.next = -1
        self.sampler = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
        stages: tuple[Stage, ...] = job.chain.stages
        if job.never:
            stages = (LogitBias(tuple((token, -math.inf) for token in job.never)), *stages)
        for stage in stages:
            made = init_stage(
                api, stage, job.seed, model.vocab_size, model.vocabulary, longest=4096
            )
            api.llama_sampler_chain_add(self.sampler, made)

    def read_prompt(self, api: Any, handle: int, batch: Any, number: int, size: int) -> int:
        tokens = self.made.job.prompt
        for begin in range(0, len(tokens), size):
            part = tokens[begin : begin + size]
            batch.n_tokens = len(part)
            for at, token in enumerate(part):
                last = begin + at == len(tokens) - 1
                _put(batch, at, token, begin + at, number, wanted=last)
            _decode(api, handle, batch)
        picked: int = api.llama_sampler_sample(self.sampler, handle, batch.n_tokens - 1)
        return picked

    def take(self, ends: frozenset[int]) -> bool:
        """Keep the token that was picked; False when this was the end."""
        made = self.made
        if self.next in ends:
            made.end = "eog"
            return False
        made.tokens.append(self.next)
        if len(made.tokens) >= made.job.most:
            made.end = "length"
            return False
        if len(made.tokens) % _CHECK_EVERY == 0:
            made.end = _verdict(made.tokens)
        return not made.end


def _verdict(tokens: list[int]) -> str:
    period, length = exact_tail(tokens)
    if length >= max(_REPEATS * period, FLOOR):
        return "loop"
    if len(tokens) == _HOPE and sum(map(bool, copied(tokens)[-160:])) < 48:
        return "hopeless"
    return ""


def _step(api: Any, handle: int, batch: Any, slots: dict[int, _Slot]) -> None:
    batch.n_tokens = len(slots)
    for row, (number, slot) in enumerate(slots.items()):
        place = len(slot.made.job.prompt) + len(slot.made.tokens) - 1
        _put(batch, row, slot.next, place, number, wanted=True)
    _decode(api, handle, batch)
    for row, slot in enumerate(slots.values()):
        slot.next = api.llama_sampler_sample(slot.sampler, handle, row)


def _put(batch: Any, row: int, token: int, place: int, number: int, *, wanted: bool) -> None:
    batch.token[row] = token
    batch.pos[row] = place
    batch.n_seq_id[row] = 1
    batch.seq_id[row][0] = number
    batch.logits[row] = ctypes.c_int8(wanted)


def _decode(api: Any, handle: int, batch: Any) -> None:
    status = api.llama_decode(handle, batch)
    if status:
        raise RuntimeError(f"llama_decode: {status}")
