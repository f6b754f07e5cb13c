"""What picking a token of a large vocabulary takes, ours against llama.cpp's own in turns.

    ./scripts/bench picking

Both run the same native sampler chain on the same logits, drawn anew for each token, and have to
pick the same tokens. llama.cpp's own is llama_sampler_sample, which llama-server calls for each
token. Microseconds are medians; nothing else of a token is in them.
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

import numpy as np

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
PROFILES = ("qwq", "qwen3-thinking", "qwen-llama-cpp", "llama-cpp")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench picking", description=__doc__.split("\n")[0])
    parser.add_argument("--vocabulary", type=int, default=151_936, help="tokens (default 151,936)")
    parser.add_argument("--tokens", type=int, default=300, help="that are picked (default 300)")
    parser.add_argument("--json", type=Path, help="keep the figures there")
    given = parser.parse_args()
    chains = {**{name: load_profile(name).chain for name in PROFILES}, **CHAINS}
    figures: dict[str, Any] = {"vocabulary": given.vocabulary}
    print("| chain | llama.cpp's, us | ours, us | ratio |\n|---|--:|--:|--:|")
    for name, chain in chains.items():
        theirs, ours = _compare(chain, given.vocabulary, given.tokens)
        figures[name] = {"llama.cpp": theirs, "ours": ours}
        print(f"| {name} | {theirs:,.0f} | {ours:,.0f} | {theirs / ours:.1f} |", flush=True)
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


def _drawn(vocabulary: int, seed: int) -> Any:
    """As a model has them: most are unlikely, some thirty are not."""
    dice = np.random.default_rng(seed)
    logits = dice.standard_normal(vocabulary, np.float32) * np.float32(2.5)
    logits[dice.integers(0, vocabulary, 30)] += 10
    return logits


if __name__ == "__main__":
    main()
