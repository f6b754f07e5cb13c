"""List the held-out problems that the shipped model's training met all the same.

    python scripts/train_demo/seen.py            writes qwq_gguf/evaluation/suites/contamination.txt
    python scripts/train_demo/seen.py --check    compares it, and looks through the suites

The shipped weights were trained with a rule that left out problems by their key, and a key
names the skill, the order and the zeros of its numbers: a product held out for `multiply` could
be drawn for `calculator`. This draws the three runs of the model card again, by that rule and
with slips as they then were, reads every conversation for the numbers it joins or compares, and
lists those that some held-out problem asks. About a minute. The runs after them leave out
themselves what is held out in any guise (conversations.py), so they add nothing to the list and are
not drawn again here; weights trained from nothing take an empty list, and this script can go.

What is not counted as the same problem: the reverse of an operation (79*87 beside 6873/79), and
counting on through a longer word that begins with the one asked for.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import conversations
import thoughts
from conversations import Rules
from forms import as_drawn
from rows import batches
from stated import stated
from thoughts import Span, Step
from tokenizers import Tokenizer

from qwq_gguf.evaluation.suites.equivalence import content, guises, is_step
from qwq_gguf.evaluation.suites.problems import Problem, is_held_out
from qwq_gguf.evaluation.suites.skills import generate, suite
from qwq_gguf.resources import demo_checkpoint

MET = (
    Path(__file__).resolve().parents[2] / "qwq_gguf" / "evaluation" / "suites" / "contamination.txt"
)

SEEDS = range(10)  # of the suites that --check looks through


def draw_by_key(skill: str, rng: random.Random, worked: bool) -> Problem:
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


def write_rare_slips(steps: Sequence[Step], rng: random.Random, slip: float) -> list[Span]:
    """How the trainer then wrote thoughts: one slip, in any line, rarely two.

    Kept to the token, for the length of what was written decides what was drawn next.
    """
    workable = [i for i, s in enumerate(steps) if s.result]
    slips = set()
    if workable and rng.random() < slip:
        slips = set(rng.sample(workable, 2 if len(workable) > 3 and rng.random() < 0.15 else 1))
    spans = []
    for i, step in enumerate(steps):
        if i in slips:
            spans.append(Span(step.work))
            wrong = thoughts.other_digit if step.result not in "<=>" else thoughts.other_sign
            spans.append(Span(wrong(step.result, rng), 0.0))
            spans.append(Span(f". Wait, {step.work.lstrip()}{step.result}{step.after}"))
        else:
            spans.append(Span(step.work + step.result + step.after))
    return spans


FIRST_RULES = Rules(
    0.2, draw_by_key, write_rare_slips, as_drawn, conversations.never, conversations.as_ours
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the model card, and the rules that the trainer then had."""

    seed: int
    steps: int
    shares: dict[str, int]
    rules: Rules = FIRST_RULES


RUNS = (
    Run(1, 2013, {}),
    Run(2, 1108, {"letters": 30, "compare": 20, "multiply": 22, "add": 10}),
    Run(
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

    for run in RUNS:
        with _shares(run.shares):
            samples = conversations.samples(random.Random(run.seed), run.rules)
            for _ in islice(batches(tokenizer, watched(samples)), steps or run.steps):
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
