"""What picking a token of a large vocabulary takes, ours against llama.cpp's own in turns.

    ./scripts/bench picking [--model FILE]

Both run the same native sampler chain on the same logits, drawn anew for each token, and have to
pick the same tokens. llama.cpp's own is llama_sampler_sample, which llama-server calls for each
token. Microseconds are medians; nothing else of a token is in them. With a model it also tells for
how many of its tokens, picked by temperature and top_p alone, no short list was sure enough.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np

import qwq_gguf
from qwq_gguf.engine.llama import likely
from qwq_gguf.engine.llama.library import load
from qwq_gguf.engine.llama.native_chain import NativeChain
from qwq_gguf.engine.loading.pace_timing import Timer, one_kind
from qwq_gguf.engine.loading.zero_model import ZeroModel
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.profiles import load_profile
from qwq_gguf.sampling import Dist, Greedy, MinP, SamplerChain, Temperature, TopP

CHAINS = {
    "greedy": SamplerChain((Greedy(),)),
    "min_p 0.05": SamplerChain((Temperature(0.8), MinP(0.05), Dist())),
    "top_p 0.95 alone": SamplerChain((Temperature(0.6), TopP(0.95), Dist())),
}
_QUESTIONS = (
    "Write a poem about the sea.",
    "Explain why the sky is blue.",
    "Tell me a story about a fox.",
)
PROFILES = ("qwq", "qwen3-thinking", "qwen-llama-cpp", "llama-cpp")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench picking", description=__doc__.split("\n")[0])
    parser.add_argument("--vocabulary", type=int, default=151_936, help="tokens (default 151,936)")
    parser.add_argument("--tokens", type=int, default=300, help="that are picked (default 300)")
    parser.add_argument("--model", type=Path, help="a GGUF that writes some text besides")
    parser.add_argument("--json", type=Path, help="keep the figures there")
    given = parser.parse_args()
    chains = {**{name: load_profile(name).chain for name in PROFILES}, **CHAINS}
    figures: dict[str, Any] = {"vocabulary": given.vocabulary}
    print("| chain | llama.cpp's, us | ours, us | ratio |\n|---|--:|--:|--:|")
    for name, chain in chains.items():
        theirs, ours = _compare(chain, given.vocabulary, given.tokens)
        figures[name] = {"llama.cpp": theirs, "ours": ours}
        print(f"| {name} | {theirs:,.0f} | {ours:,.0f} | {theirs / ours:.1f} |", flush=True)
    if given.model is not None:
        figures["model"] = _written(given.model)
        print(
            "\n{tokens} tokens: {unsure} of all, the others of {length}".format(**figures["model"])
        )
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _compare(chain: SamplerChain, vocabulary: int, tokens: int) -> tuple[float, float]:
    library = load()
    arguments = {"gpu_layers": 0, "use_extra_bufts": False, "mmap": True, "threads": 1}
    shape = ZeroModel(256, 256, 2, 2, one_kind(GgmlType.Q8_0), tokens=vocabulary)
    took: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        timer = Timer(library, arguments, Path(folder))

        def chained() -> NativeChain:
            return NativeChain(library, chain, seed=1, vocab_size=vocabulary, context_size=tokens)

        with (
            timer.context(shape) as context,
            chained() as ours,
            chained() as theirs,
        ):
            theirs._short = None
            # What the network says counts for nothing, but logits have to have a place.
            timer.decode(context, 1)
            pointer = library.api.llama_get_logits_ith(context, -1)
            logits = np.ctypeslib.as_array(pointer, (vocabulary,))
            for number in range(tokens):
                logits[:] = _drawn(vocabulary, number)
                picked = []
                for short in (True, False) if number % 2 else (False, True):
                    began = time.perf_counter()
                    picked.append((ours if short else theirs).sample(context))
                    took[short].append(time.perf_counter() - began)
                if picked[0] != picked[1]:
                    sys.exit(f"not the same token: {picked}")
    return 1e6 * median(took[False]), 1e6 * median(took[True])


def _written(model: Path) -> dict[str, int]:
    """How long the lists are that a real model's tokens are picked out of, by top_p alone."""
    lengths: list[int | None] = []
    real = likely.likely

    def noted(logits: Any, wanted: Any) -> Any:
        found = real(logits, wanted)
        lengths.append(None if found is None else found.size)
        return found

    with (
        patch.object(likely, "likely", noted),
        qwq_gguf.load(model, context=2048, profile="r1-distill") as loaded,
    ):
        for question in _QUESTIONS:
            loaded.ask(question, seed=1, max_tokens=120)
    short = [length for length in lengths if length is not None]
    return {
        "tokens": len(lengths),
        "unsure": len(lengths) - len(short),
        "length": round(sum(short) / max(1, len(short))),
    }


def _drawn(vocabulary: int, seed: int) -> Any:
    """As a model has them: most are unlikely, some thirty are not."""
    dice = np.random.default_rng(seed)
    logits = dice.standard_normal(vocabulary, np.float32) * np.float32(2.5)
    logits[dice.integers(0, vocabulary, 30)] += 10
    return logits


if __name__ == "__main__":
    main()
