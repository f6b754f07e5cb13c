"""One stage of a chain as llama.cpp's sampler of that name."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import ChainError, ModelError
from qwq_gguf.sampling.chain import SamplerChain
from qwq_gguf.sampling.stages import (
    Dist,
    Dry,
    Greedy,
    LogitBias,
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
    from qwq_gguf.engine.llama.vocabulary import Vocabulary

__all__ = ["init_stage", "seen_before", "with_token_ids"]

# Truncating stages never leave less than the best token.
_MIN_KEEP = 1


def init_stage(
    api: Any,
    stage: Stage,
    seed: int,
    vocab_size: int,
    vocabulary: Vocabulary | None,
    *,
    longest: int,
) -> int:
    """A new sampler, which is to be freed. `longest` bounds windows, in tokens.

    Not for a grammar, which is made anew for each text (`GrammarSampler`). ChainError for
    a bias of a token that is not there, ModelError where a stage lacks the vocabulary.
    """
    sampler: int | None = _init(api, stage, seed, vocab_size, vocabulary, longest)
    if not sampler:
        raise ModelError("llama.cpp refused a sampler stage", found=stage)
    return sampler


def with_token_ids(chain: SamplerChain, vocabulary: Vocabulary) -> SamplerChain:
    """The chain with the tokens of its logit bias by their ids; ChainError if one is not there."""
    return SamplerChain(
        tuple(
            LogitBias(tuple(_biases(stage, vocabulary.size, vocabulary).items()))
            if isinstance(stage, LogitBias)
            else stage
            for stage in chain.stages
        )
    )


def seen_before(window: Window, prompt: Sequence[int]) -> Sequence[int]:
    """What of a prompt a stage with this window has seen before the first token."""
    if window == "generation" or window == 0:
        return ()
    return prompt if window == "context" else prompt[-window:]


def _init(
    api: Any, stage: Stage, seed: int, vocab_size: int, vocabulary: Vocabulary | None, longest: int
) -> Any:
    match stage:
        case LogitBias():
            biases = _biases(stage, vocab_size, vocabulary)
            entries = (api.llama_logit_bias * len(biases))(*biases.items())
            return api.llama_sampler_init_logit_bias(vocab_size, len(entries), entries)
        case Penalties(repeat, frequency, presence, window):
            last_n = _last_n(window, longest)
            return api.llama_sampler_init_penalties(vocab_size, last_n, repeat, frequency, presence)
        case Dry():
            if vocabulary is None and not stage.off:
                raise ModelError("the stage dry needs a vocabulary")
            breakers = [text.encode() for text in stage.breakers]
            return api.llama_sampler_init_dry(
                None if vocabulary is None else vocabulary.handle,
                stage.multiplier,
                stage.base,
                stage.allowed_length,
                _last_n(stage.window, longest),
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
    raise AssertionError(stage)


def _last_n(window: Window, longest: int) -> int:
    return longest if isinstance(window, str) else min(window, longest)


def _biases(stage: LogitBias, vocab_size: int, vocabulary: Vocabulary | None) -> dict[int, float]:
    find = _no_text if vocabulary is None else vocabulary.only_token
    biases = stage.with_ids(find).by_id()
    for token in biases:
        if token >= vocab_size:
            raise ChainError(
                "logit_bias: a token that this model does not have",
                found=token,
                expected=f"0 to {vocab_size - 1}",
            )
    return biases


def _no_text(text: str) -> int:
    raise ModelError("a logit bias by text needs a vocabulary", found=repr(text)[:80])
