"""A governor against none, paired: right answers, replies without one, tokens."""

from __future__ import annotations

import argparse
import math
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from qwq_gguf.engine.model import Model
from qwq_gguf.evaluation.runner import ask_model, run_suite
from qwq_gguf.evaluation.suites.problems import Problem
from qwq_gguf.evaluation.suites.skills import suite
from qwq_gguf.evaluation.summary import Sample
from qwq_gguf.profiles import Profile, governor_settings, resolve, with_governor_settings
from qwq_gguf.thinking import Governor

OFF = Governor(reserve=0, loops=False, answers=False)
STEPS = " Think step by step, and put the result into \\boxed{}."


def hard(count: int, seed: int) -> list[Problem]:
    """Products far longer than any that the demo model was trained on."""
    dice = random.Random(seed)
    problems = []
    for _ in range(count):
        a, b = dice.randrange(10**4, 10**5), dice.randrange(10**3, 10**4)
        problems.append(
            Problem("hard", f"What is {a}*{b}?", str(a * b), (str(a), str(b)), f"multiply:{a}*{b}")
        )
    return problems


def arithmetic(count: int, seed: int) -> list[Problem]:
    """Sums, differences and products for a model that is told to work step by step."""
    found = [
        replace(problem, question=problem.question + STEPS)
        for skill in ("add", "subtract", "multiply")
        for problem in suite(skill, seed=seed, limit=-(-count // 3))
    ]
    return found[:count]


def interval(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """The mean difference of pairs, second less first, and half its 95 % interval."""
    differences = [b - a for a, b in zip(first, second, strict=True)]
    mean = fmean(differences)
    variance = fmean((d - mean) ** 2 for d in differences)
    return mean, 1.96 * math.sqrt(variance / max(1, len(differences) - 1))


def row(name: str, off: Sequence[Sample], on: Sequence[Sample]) -> str:
    """What a suite's two runs say, as a row of the table."""
    right = interval([s.right for s in off], [s.right for s in on])
    tokens = [[s.thinking_tokens + s.answer_tokens for s in run] for run in (off, on)]
    more = interval(*tokens)
    same = sum(
        a.thinking == b.thinking and a.answer == b.answer for a, b in zip(off, on, strict=True)
    )
    return (
        f"| {name} | {len(on)} | {sum(s.right for s in off)} | {sum(s.right for s in on)} "
        f"| {100 * right[0]:+.1f} ± {100 * right[1]:.1f} % "
        f"| {sum(not s.closed for s in off)} | {sum(not s.closed for s in on)} "
        f"| {fmean(tokens[0]):.1f} | {fmean(tokens[1]):.1f} | {more[0]:+.1f} ± {more[1]:.1f} "
        f"| {same} |"
    )


def compare(
    model: Model,
    profile: Profile,
    governor: Governor,
    name: str,
    problems: Sequence[Problem],
    most: int,
) -> None:
    """Ask all problems under both governors, and print the row."""
    runs = []
    for each in (OFF, governor):
        ask = ask_model(model, replace(profile, governor=each), max_tokens=most)
        runs.append(list(run_suite(ask, problems, profile=profile.name)))
    print(row(name, *runs), flush=True)
    ended = Counter(f"{s.thought_ended} {s.finish_reason}" for s in runs[1])
    print(f"{name}: {dict(ended.most_common())}", file=sys.stderr, flush=True)


def main() -> None:
    """Read the command line, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a real model, for step-by-step arithmetic")
    parser.add_argument("--count", type=int, default=300, help="problems of each suite")
    parser.add_argument("--tokens", type=int, help="longest reply; default 1000, the demo 400")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--profile", help="default: what the file asks for")
    parser.add_argument("--govern", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("-t", "--threads", type=int)
    asked = parser.parse_args()
    settings = {key: v for text in asked.govern for key, v in governor_settings(text).items()}
    with tempfile.TemporaryDirectory() as folder:
        path = asked.model
        if path is None:
            path = Path(folder) / "demo.gguf"
            command = ["quantize", "demo", str(path), "-r", "F16", "--no-modelfile"]
            subprocess.run(["qwq-gguf", *command], check=True)
        with Model.load(path, threads=asked.threads, context=4096) as model:
            profile = resolve(model.metadata, requested=asked.profile).profile
            governor = with_governor_settings(profile.governor, settings)
            print(f"{governor}", file=sys.stderr)
            print("| suite | problems | right off | right on | difference | unanswered off | on "
                  "| tokens off | on | difference | the same |")  # fmt: skip
            print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
            if asked.model is not None:
                problems = arithmetic(asked.count, asked.seed)
                compare(model, profile, governor, "arithmetic", problems, asked.tokens or 1000)
                return
            skills = list(suite("skills", seed=asked.seed, limit=-(-asked.count // 6)))
            compare(model, profile, governor, "held out", skills, asked.tokens or 400)
            compare(
                model, profile, governor, "hard", hard(asked.count, asked.seed), asked.tokens or 400
            )


if __name__ == "__main__":
    main()
