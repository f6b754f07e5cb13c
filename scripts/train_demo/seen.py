"""List the held-out problems that the shipped model's training met all the same.

    python scripts/train_demo/seen.py            writes qwq_gguf/evaluate/met.txt
    python scripts/train_demo/seen.py --check    compares it, and looks through the suites

The shipped weights were trained with a rule that left out problems by their key, and a key
names the skill, the order and the zeros of its numbers: a product held out for `multiply` could
be drawn for `calculator`. This draws the three runs of the model card again, reads every
conversation for the numbers it joins or compares, and lists those that some held-out problem
asks. About a minute. The next training leaves them out itself (conversations.py), so it takes
an empty list and this script can go.

What is not counted as the same problem: the reverse of an operation (79*87 beside 6873/79), and
counting on through a longer word that begins with the one asked for.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import conversations
from rows import batches
from stated import stated
from tokenizers import Tokenizer

from qwq_gguf.evaluate.guises import content, guises, is_step
from qwq_gguf.evaluate.problems import Problem, generate, is_held_out, suite
from qwq_gguf.resources import demo_checkpoint

MET = Path(__file__).resolve().parents[2] / "qwq_gguf" / "evaluate" / "met.txt"

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
SEEDS = range(10)  # of the suites that --check looks through


def draw_as_shipped(skill: str, rng: random.Random, worked: bool) -> Problem:
    """What the trainer drew when it made the shipped weights.

    It asked whether the work states a held-out problem of the same skill, and took the larger
    of two factors for the one that is multiplied by digits. Of two factors of two digits the
    work takes the first, so it missed half of those.
    """
    problem = generate(skill, rng, held_out=False)
    while worked and _looks_held_out(problem):
        problem = generate(skill, rng, held_out=False)
    return problem


def _looks_held_out(problem: Problem) -> bool:
    if problem.skill == "multiply":
        short, long = sorted(map(int, problem.operands))
        tens, ones = divmod(short, 10)
        if not tens:
            return False
        parts = [f"multiply:{digit}*{long}" for digit in (tens, ones)]
        low, high = sorted((long * ones, long * tens * 10))
        return any(map(is_held_out, [*parts, f"add:{low}+{high}"]))
    if problem.skill == "subtract":
        a, b = problem.operands
        return is_held_out(f"subtract:{b}-{a}")
    return False


@contextmanager
def _shares(shares: dict[str, int]) -> Iterator[None]:
    usual = dict(conversations.SHARES)
    conversations.SHARES.update(shares)
    try:
        yield
    finally:
        conversations.SHARES.update(usual)


def replay(steps: int | None = None) -> Counter[str]:
    """How many conversations stated each content (in the first `steps` of each run)."""
    tokenizer = Tokenizer.from_file(str(demo_checkpoint() / "tokenizer.json"))
    seen: Counter[str] = Counter()

    def watched(samples: Iterator[conversations.Sample]) -> Iterator[conversations.Sample]:
        for sample in samples:
            seen.update(set(stated(sample.text)))
            yield sample

    for seed, all_steps, shares in RUNS:
        with _shares(shares):
            samples = conversations.samples(random.Random(seed), slip=0.2, draw=draw_as_shipped)
            for _ in islice(batches(tokenizer, watched(samples)), steps or all_steps):
                pass
    return seen


def met(seen: Collection[str]) -> list[str]:
    """Of what was stated, what some held-out problem asks, sorted; steps need no list."""
    return sorted(
        asked for asked in seen if not is_step(asked) and any(map(is_held_out, guises(asked)))
    )


def check(seen: Collection[str]) -> bool:
    """Whether the list is what the replay gives, and the suites ask nothing of what was seen."""
    listed = MET.read_text(encoding="utf-8").split()
    right = listed == met(seen)
    print(f"{MET.name}: {len(listed)} contents, {'as' if right else 'NOT as'} drawn again")
    for seed in SEEDS:
        problems = suite("skills", seed=seed)
        found = [problem.key for problem in problems if content(problem.key) in seen]
        print(f"seed {seed}: {len(found)} of {len(problems)} met", *found)
        right = right and not found
    return right


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if it differs")
    checking = parser.parse_args().check
    seen = replay()
    if checking:
        return 0 if check(seen) else 1
    contents = met(seen)
    MET.write_text("".join(f"{asked}\n" for asked in contents), encoding="utf-8")
    print(f"{MET}: {len(contents)} contents")
    return 0


if __name__ == "__main__":
    sys.exit(main())
