"""What Transformers' logits processors leave, in the order its `generate` runs them.

Needs torch and transformers, which the tests do not: their results are recorded.

    python tests/support/transformers_chain.py > tests/sampling/transformers_vectors.json
"""

from __future__ import annotations

import importlib
import json
import random
from collections.abc import Mapping, Sequence

__all__ = ["CASES", "transformers_distribution"]

# Settings by Transformers' names; each runs on several draws of logits and tokens.
CASES: tuple[Mapping[str, float], ...] = (
    {"temperature": 0.6, "top_k": 40, "top_p": 0.95},
    {"temperature": 0.6, "top_k": 20, "top_p": 0.95},
    {"temperature": 1.0, "top_p": 0.7},
    {"temperature": 1.4, "top_k": 5},
    {"repetition_penalty": 1.3, "temperature": 0.6, "top_k": 40, "top_p": 0.95},
    {"repetition_penalty": 1.05, "temperature": 0.7, "top_k": 20, "top_p": 0.8},
    {"temperature": 0.6, "top_k": 40, "top_p": 0.95, "min_p": 0.05},
    {"temperature": 0.8, "min_p": 0.2},
)
_ORDER = ("repetition_penalty", "temperature", "top_k", "top_p", "min_p")


def transformers_distribution(
    settings: Mapping[str, float], logits: Sequence[float], tokens: Sequence[int]
) -> dict[int, float]:
    """The tokens left and their probabilities, after `tokens`."""
    torch = importlib.import_module("torch")
    processors = importlib.import_module("transformers.generation.logits_process")
    make = {
        "repetition_penalty": processors.RepetitionPenaltyLogitsProcessor,
        "temperature": processors.TemperatureLogitsWarper,
        "top_k": lambda k: processors.TopKLogitsWarper(int(k)),
        "top_p": processors.TopPLogitsWarper,
        "min_p": processors.MinPLogitsWarper,
    }
    ids = torch.tensor([list(tokens)], dtype=torch.long)
    scores = torch.tensor([list(logits)], dtype=torch.float32)
    for name in _ORDER:
        if name in settings:
            scores = make[name](settings[name])(ids, scores)
    probabilities = scores.softmax(-1)[0].tolist()
    return {token: p for token, p in enumerate(probabilities) if p > 0}


def _drawn(seed: int) -> tuple[list[float], list[int]]:
    rng = random.Random(seed)
    logits = [round(rng.gauss(0, 3), 3) for _ in range(64)]
    return logits, [rng.randrange(64) for _ in range(20)]


def _record() -> str:
    version = importlib.import_module("transformers").__version__
    rows = []
    for number, settings in enumerate(CASES):
        for draw in range(3):
            logits, tokens = _drawn(100 * number + draw)
            left = transformers_distribution(settings, logits, tokens)
            rows.append(
                {
                    "settings": dict(settings),
                    "logits": logits,
                    "tokens": tokens,
                    "left": {str(token): float(f"{p:.7g}") for token, p in left.items()},
                }
            )
    lines = ",\n".join(json.dumps(row) for row in rows)
    return f'{{"transformers": "{version}", "vectors": [\n{lines}\n]}}'


if __name__ == "__main__":
    print(_record())
