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

from governor_pairs import Pair, Pairs, ask_pairs

from qwq_gguf.engine.batching.engine import Engine
from qwq_gguf.engine.model import Model
from qwq_gguf.evaluation.problems import Problem, suite
from qwq_gguf.profiles import Profile, governor_settings, resolve, with_governor_settings
from qwq_gguf.thinking import Governor

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


def row(name: str, pairs: Sequence[Pair]) -> str:
    """What a suite's pairs say, as a row of the table."""
    off, on = [pair.off for pair in pairs], [pair.on for pair in pairs]
    right = interval([s.right for s in off], [s.right for s in on])
    tokens = [[s.tokens for s in run] for run in (off, on)]
    more = interval(*tokens)
    same = sum(
        a.thinking == b.thinking and a.answer == b.answer for a, b in zip(off, on, strict=True)
    )
    return (
        f"| {name} | {len(on)} | {sum(s.right for s in off)} | {sum(s.right for s in on)} "
        f"| {100 * right[0]:+.1f} ± {100 * right[1]:.1f} % "
        f"| {sum(not s.answered for s in off)} | {sum(not s.answered for s in on)} "
        f"| {fmean(tokens[0]):.1f} | {fmean(tokens[1]):.1f} | {more[0]:+.1f} ± {more[1]:.1f} "
        f"| {same} |"
    )


def compare(
    engine: Engine,
    profile: Profile,
    governor: Governor,
    name: str,
    problems: Sequence[Problem],
    asked: argparse.Namespace,
    kept: Path,
) -> None:
    """Ask the problems that are not in the file under both governors, and print the row."""
    most = asked.tokens or (1000 if asked.model else 400)
    pairs = Pairs(kept, {
        "suite": name,
        "model": engine.model.name,
        "size": engine.model.path.stat().st_size,
        "profile": profile.name,
        "governor": str(governor),
        "tokens": most,
        "seed": asked.seed,
    })  # fmt: skip
    left = [problem for problem in problems if problem.key not in pairs.done]
    for pair in ask_pairs(engine, profile, governor, left, most=most, seconds=asked.seconds):
        pairs.add(pair)
        print(f"\r{name}: {len(pairs.done)} pairs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    told = [pairs.done[problem.key] for problem in problems if problem.key in pairs.done]
    if not told:
        return
    print(row(name, told), flush=True)
    ended = Counter(f"{pair.on.thought_ended} {pair.on.finish_reason}" for pair in told)
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
    parser.add_argument("--together", type=int, default=8, help="problems at once; 1: in turn")
    parser.add_argument("--seconds", type=float, help="begin no pair after so many")
    parser.add_argument(
        "--kept",
        type=Path,
        default=Path("build/governor"),
        metavar="FOLDER",
        help="the pairs so far, which a second run goes on with",
    )
    asked = parser.parse_args()
    settings = {key: v for text in asked.govern for key, v in governor_settings(text).items()}
    with tempfile.TemporaryDirectory() as folder:
        path = asked.model
        if path is None:
            path = Path(folder) / "demo.gguf"
            command = ["quantize", "demo", str(path), "-r", "F16", "--no-modelfile"]
            subprocess.run(["qwq-gguf", *command], check=True)
        asked.kept.mkdir(parents=True, exist_ok=True)
        context = asked.together * ((asked.tokens or 1000) + 300)
        with (
            Model.load(path, threads=asked.threads, context=max(4096, context)) as model,
            Engine(model, sequences=asked.together) as engine,
        ):
            profile = resolve(model.metadata, requested=asked.profile).profile
            governor = with_governor_settings(profile.governor, settings)
            print(f"{governor}", file=sys.stderr)
            print("| suite | problems | right off | right on | difference | unanswered off | on "
                  "| tokens off | on | difference | the same |")  # fmt: skip
            print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
            suites = {"arithmetic": arithmetic(asked.count, asked.seed)}
            if asked.model is None:
                skills = list(suite("skills", seed=asked.seed, limit=-(-asked.count // 6)))
                suites = {"held out": skills, "hard": hard(asked.count, asked.seed)}
            for name, problems in suites.items():
                kept = asked.kept / f"{path.stem}-{name.replace(' ', '-')}.jsonl"
                compare(engine, profile, governor, name, problems, asked, kept)


if __name__ == "__main__":
    main()
