"""Count the held-out problems that the shipped model's training met in another guise.

    python scripts/train_demo/seen.py

Training leaves out problems by key, and a key names the skill. So a product that is held
out for `multiply` could be drawn for `calculator`, and its answer be seen. This draws the
three runs of the model card again and lists such problems of the suites. About a minute.
"""

from __future__ import annotations

import random
import re

import conversations
import train
from tokenizers import Tokenizer

from qwq_gguf.evaluate.problems import Problem, suite
from qwq_gguf.resources import demo_checkpoint

# Seed, steps and shares of the runs, as the model card gives them.
RUNS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (1, 2013, {}),
    (2, 1108, {"letters": 30, "compare": 20, "multiply": 22, "add": 10}),
    (
        3,
        702,
        {
            "letters": 46,
            "calculator": 24,
            "compare": 9,
            "multiply": 13,
            "add": 9,
            "subtract": 12,
            "talk": 2,
        },
    ),
)
SIGNS = {"multiply": "*", "add": "+", "subtract": "-"}
_SAID = re.compile(r"(\d+)([*+/-])(\d+)(?: = \\boxed|\"\})")


def sum_of(a: str, sign: str, b: str) -> tuple[str, int, int]:
    """A problem of two numbers, whatever its skill and, where it does not matter, order."""
    low, high = int(a), int(b)
    return (sign, min(low, high), max(low, high)) if sign in "*+" else (sign, low, high)


def asked(problem: Problem) -> tuple[str, int, int] | None:
    """What a problem asks, if it is a sum of two numbers."""
    if problem.skill in SIGNS:
        return sum_of(problem.operands[0], SIGNS[problem.skill], problem.operands[1])
    found = re.fullmatch(r"(\d+)([*+/-])(\d+)", problem.operands[0])
    return sum_of(*found.groups()) if found else None


def main() -> None:
    tokenizer = Tokenizer.from_file(str(demo_checkpoint() / "tokenizer.json"))
    usual, draw = dict(conversations.SHARES), conversations.sample
    seen: set[tuple[str, int, int]] = set()

    def watched(rng: random.Random, *, slip: float) -> conversations.Sample:
        sample = draw(rng, slip=slip)
        text = sample.prompt + "".join(span.text for span in sample.reply)
        seen.update(sum_of(*found) for found in _SAID.findall(text))
        return sample

    conversations.sample = watched
    for seed, steps, shares in RUNS:
        conversations.SHARES.update(usual | shares)
        data = train.batches(tokenizer, seed, slip=0.2)
        for _ in range(steps):
            next(data)
    for seed in (0, 1, 2):
        met = [problem.key for problem in suite("skills", seed=seed) if asked(problem) in seen]
        print(f"seed {seed}: {len(met)} of 600: {', '.join(met)}")


if __name__ == "__main__":
    main()
