"""A SamplerChain value as llama.cpp's own samplers, in exactly its order.

Which tokens the windowed stages have seen is decided here: llama.cpp's samplers count
what they are told to accept, so a window over the generation simply never hears of the
prompt.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import ModelError
from qwq_gguf.sampling.stages import (
    Dist,
    Dry,
    Greedy,
    MinP,
    Penalties,
    Stage,
    Temperature,
    TopK,
    TopNSigma,
    TopP,
    TypicalP,
    Window,
    Xtc,
)

if TYPE_CHECKING:
    from types import TracebackType

    from qwq_gguf.runtime.library import Library
    from qwq_gguf.runtime.model import Model
    from qwq_gguf.sampling.chain import SamplerChain

__all__ = ["MOST_SEED", "NativeChain", "Picked"]

# 2**32 - 1 stands for "any seed" in llama.h.
MOST_SEED = 2**32 - 2

# Truncating stages never leave less than the best token.
_MIN_KEEP = 1


@dataclass(frozen=True, slots=True)
class Picked:
    """What a chain made of logits: the token, and the tokens left with their probability."""

    token: int
    kept: tuple[tuple[int, float], ...]


class NativeChain:
    """A `llama_sampler` chain; a context manager. Its state is that of one generation."""

    def __init__(
        self,
        library: Library,
        chain: SamplerChain,
        *,
        seed: int,
        vocab_size: int,
        context_size: int,
        vocabulary: int | None = None,
        prompt: Sequence[int] = (),
        logit_bias: Mapping[int, float] | None = None,
    ) -> None:
        """Build it. `vocabulary` is a llama_vocab pointer, needed by the stage dry only.

        `prompt` are the tokens before the generation, `context_size` is the longest that
        both can be together. `logit_bias` is added before all stages.
        """
        if not 0 <= seed <= MOST_SEED:
            raise ModelError("the seed makes no sense", found=seed, expected=f"0 to {MOST_SEED}")
        api = library.api
        self._api: Any = api
        self._sample = api.llama_sampler_sample
        self._vocab_size = vocab_size
        self._longest = context_size
        params = api.llama_sampler_chain_default_params()
        params.no_perf = True
        self._handle: int | None = api.llama_sampler_chain_init(params)
        # The chain owns what is added to it: freeing it frees all.
        self._free = weakref.finalize(self, api.llama_sampler_free, self._handle)
        if logit_bias:
            self._add(self._bias(logit_bias))
        for stage in chain.stages:
            sampler = self._make(stage, seed, vocabulary)
            self._add(sampler)
            if isinstance(stage, Penalties | Dry) and not stage.off:
                for token in self._seen_before(stage.window, prompt):
                    api.llama_sampler_accept(sampler, token)

    @classmethod
    def of(
        cls,
        model: Model,
        chain: SamplerChain,
        *,
        seed: int,
        prompt: Sequence[int] = (),
        logit_bias: Mapping[int, float] | None = None,
    ) -> NativeChain:
        """The chain for a generation with this model."""
        return cls(
            model.library,
            chain,
            seed=seed,
            vocab_size=model.vocab_size,
            context_size=model.context_size,
            vocabulary=model.vocabulary.handle,
            prompt=prompt,
            logit_bias=logit_bias,
        )

    def sample(self, context: int) -> int:
        """Pick and accept a token from the last logits of a llama_context."""
        token: int = self._sample(self._handle, context, -1)
        return token

    def accept(self, token: int) -> None:
        """Tell all stages that this token was generated."""
        self._api.llama_sampler_accept(self._handle, token)

    def apply(self, logits: Sequence[float]) -> Picked:
        """Run the chain on these logits, one a token, and pick without accepting."""
        api = self._api
        data = (api.llama_token_data * len(logits))(
            *((token, logit, 0.0) for token, logit in enumerate(logits))
        )
        array = api.llama_token_data_array(data, len(logits), -1, False)
        api.llama_sampler_apply(self._handle, ctypes.byref(array))
        kept = tuple((array.data[i].id, array.data[i].p) for i in range(array.size))
        return Picked(kept[array.selected][0], kept)

    def names(self) -> tuple[str, ...]:
        """What llama.cpp calls the stages; a `?` in front marks one that does nothing."""
        api = self._api
        return tuple(
            api.llama_sampler_name(api.llama_sampler_chain_get(self._handle, index)).decode()
            for index in range(api.llama_sampler_chain_n(self._handle))
        )

    def close(self) -> None:
        """Free the samplers; may be called twice."""
        self._handle = None
        self._free()

    def __enter__(self) -> NativeChain:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _add(self, sampler: int) -> None:
        self._api.llama_sampler_chain_add(self._handle, sampler)

    def _last_n(self, window: Window) -> int:
        return self._longest if isinstance(window, str) else min(window, self._longest)

    def _seen_before(self, window: Window, prompt: Sequence[int]) -> Sequence[int]:
        if window == "generation":
            return ()
        return prompt[-self._last_n(window) :]

    def _bias(self, logit_bias: Mapping[int, float]) -> int:
        for token in logit_bias:
            if not 0 <= token < self._vocab_size:
                raise ModelError("a logit bias for a token that does not exist", found=token)
        entries = (self._api.llama_logit_bias * len(logit_bias))(*logit_bias.items())
        sampler: int = self._api.llama_sampler_init_logit_bias(
            self._vocab_size, len(entries), entries
        )
        return sampler

    def _make(self, stage: Stage, seed: int, vocabulary: int | None) -> int:
        sampler: int | None = self._init(stage, seed, vocabulary)
        if not sampler:
            raise ModelError("llama.cpp refused a sampler stage", found=stage)
        return sampler

    def _init(self, stage: Stage, seed: int, vocabulary: int | None) -> Any:
        api = self._api
        match stage:
            case Penalties(repeat, frequency, presence, window):
                last_n = self._last_n(window)
                return api.llama_sampler_init_penalties(
                    self._vocab_size, last_n, repeat, frequency, presence
                )
            case Dry():
                if vocabulary is None and not stage.off:
                    raise ModelError("the stage dry needs a vocabulary")
                breakers = [text.encode() for text in stage.breakers]
                return api.llama_sampler_init_dry(
                    vocabulary,
                    stage.multiplier,
                    stage.base,
                    stage.allowed_length,
                    self._last_n(stage.window),
                    (ctypes.c_char_p * len(breakers))(*breakers),
                    len(breakers),
                )
            case TopNSigma(n):
                return api.llama_sampler_init_top_n_sigma(n)
            case TopK(k):
                return api.llama_sampler_init_top_k(k)
            case TypicalP(p):
                return api.llama_sampler_init_typical(p, _MIN_KEEP)
            case TopP(p):
                return api.llama_sampler_init_top_p(p, _MIN_KEEP)
            case MinP(p):
                return api.llama_sampler_init_min_p(p, _MIN_KEEP)
            case Xtc(probability, threshold):
                return api.llama_sampler_init_xtc(probability, threshold, _MIN_KEEP, seed)
            case Temperature(t, spread, exponent) if spread > 0:
                return api.llama_sampler_init_temp_ext(t, spread, exponent)
            case Temperature(t):
                return api.llama_sampler_init_temp(t)
            case Greedy():
                return api.llama_sampler_init_greedy()
            case Dist():
                return api.llama_sampler_init_dist(seed)
