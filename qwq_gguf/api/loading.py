"""`load`: a model to talk with."""

from __future__ import annotations

from pathlib import Path

from qwq_gguf.api.calls import (
    Listener,
    check_factors,
    check_flags,
    check_numbers,
    check_texts,
    in_python,
    name_of,
    profile_of,
    reporting,
)
from qwq_gguf.api.model import Model
from qwq_gguf.errors import UsageError
from qwq_gguf.jobs.contexts import ContextWish
from qwq_gguf.jobs.demo import gguf_named
from qwq_gguf.jobs.fetching import bring_gguf, gguf_header
from qwq_gguf.jobs.loading import load_model
from qwq_gguf.jobs.settings import profile_for
from qwq_gguf.jobs.speculating import SpeculationWish
from qwq_gguf.profiles import Profile

__all__ = ["load"]


def load(
    source: str | Path,
    *,
    profile: str | Path | Profile | None = None,
    context: int | None = None,
    gpu_layers: int | None = None,
    threads: int | None = None,
    cache_keys: str | None = None,
    cache_values: str | None = None,
    flash_attention: bool | None = None,
    yarn: float | None = None,
    sequences: int = 1,
    speculate: str | Path | None = None,
    draft_tokens: int | None = None,
    revision: str | None = None,
    token: str | None = None,
    progress: Listener = None,
) -> Model:
    """Load a GGUF to talk with, as `qwq-gguf chat` does; use it in a `with`.

    `source` is a file, one on the Hub ("org/name-GGUF:Q4_K_M"), which is downloaded, or "demo",
    which is quantized into this program's cache. `profile` says how it is run: a shipped one's
    name, a .toml, a Profile; unless given it is what the file asks for. `context` is in tokens
    (default: the profile's, or the model's if that is smaller), `gpu_layers` how many go to the
    card (default: all, if this build can), `threads` the cores (default: the physical ones). With
    `sequences` above 1 so many replies are computed at once, and asked for from several threads;
    they share the context.

    `cache_keys` and `cache_values` are what the KV cache keeps those in: "f16" (default), "q8_0"
    or "q4_0", with `flash_attention` for the values (default: where llama.cpp can). `yarn` is a
    factor that stretches the context beyond what the model was made for.

    `speculate` guesses tokens ahead, which changes the time that a reply takes and nothing else:
    "text" out of the text itself, or a smaller model's GGUF file with the same vocabulary. At most
    `draft_tokens` at once (default: as many as pay). Not with several sequences.

    NotAGgufError, GgufError, ModelError and LibraryError say why it cannot be.
    """
    with in_python():
        check_numbers(context=context, threads=threads, sequences=sequences)
        check_numbers(-1, gpu_layers=gpu_layers)
        check_texts(
            revision=revision, token=token, cache_keys=cache_keys, cache_values=cache_values
        )
        check_flags(flash_attention=flash_attention)
        check_factors(yarn=yarn)
        guessing = _guessing(speculate, draft_tokens, sequences)
        wish = ContextWish(
            keys=cache_keys, values=cache_values, flash_attention=flash_attention, yarn=yarn
        )
        report = reporting(progress)
        name = gguf_named(name_of(source), report)
        with gguf_header(name, revision, token) as (located, gguf):
            chosen, notes = profile_for(gguf.metadata, profile_of(profile))
        bring_gguf(located, report)
        loaded = load_model(
            located.path,
            report,
            usual_context=chosen.context,
            context=context,
            gpu_layers=gpu_layers,
            threads=threads,
            wish=wish,
            guessing=guessing,
        )
        return Model(loaded, chosen, (*notes, *loaded.notes), sequences)


def _guessing(
    source: str | Path | None, most: int | None, sequences: int
) -> SpeculationWish | None:
    check_numbers(draft_tokens=most)
    if source is None:
        if most is not None:
            raise UsageError("draft_tokens goes with speculate")
        return None
    if sequences > 1:
        raise UsageError(
            "speculate goes with one sequence only", hint="several at once fill a step anyway"
        )
    return SpeculationWish(name_of(source, "speculate"), most)
