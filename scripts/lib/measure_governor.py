"""A governor against none, paired: right answers, replies without one, tokens."""

from __future__ import annotations

import argparse
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
from qwq_gguf.evaluation.asking.bootstrap import Estimate
from qwq_gguf.evaluation.asking.governors import OFF
from qwq_gguf.evaluation.asking.pairing import difference
from qwq_gguf.evaluation.asking.plan import plan_replies
from qwq_gguf.evaluation.asking.running import ask
from qwq_gguf.evaluation.asking.sample import Cell, Sample
from qwq_gguf.evaluation.questions import Question
from qwq_gguf.evaluation.suites import load_suite
from qwq_gguf.profiles import Profile, governor_settings, resolve, with_governor_settings
from qwq_gguf.thinking import Governor

STEPS = " Think step by step, and put the result into \\boxed{}."


def hard(count: int, seed: int) -> list[Question]:
    """Products far longer than any that the demo model was trained on."""
    dice = random.Random(seed)
    questions = []
    for _ in range(count):
        a, b = dice.randrange(10**4, 10**5), dice.randrange(10**3, 10**4)
        questions.append(
            Question(
                key=f"multiply:{a}*{b}",
                skill="hard",
                text=f"What is {a}*{b}?",
                grader="number",
                expected={"value": str(a * b)},
            )
        )
    return questions


def arithmetic(count: int, seed: int) -> list[Question]:
    """Sums, differences and products for a model that is told to work step by step."""
    found = [
        replace(question, text=question.text + STEPS)
        for skill in ("add", "subtract", "multiply")
        for question in load_suite(skill, seed=seed, limit=-(-count // 3))
    ]
    return found[:count]


def shown(found: Estimate, scale: float = 1, unit: str = "") -> str:
    """A difference with its interval."""
    low, high = (0.0 if end is None else scale * end for end in (found.low, found.high))
    return f"{scale * found.value:+.1f}{unit} ({low:+.1f} to {high:+.1f})"


def row(name: str, off: Sequence[Sample], on: Sequence[Sample]) -> str:
    """What a suite's two runs say, as a row of the table."""
    apart = difference(off, on)
    assert apart is not None
    right = shown(apart.accuracy, 100, " %")
    return (
        f"| {name} | {len(on)} | {sum(s.right for s in off)} | {sum(s.right for s in on)} "
        f"| {right} | {sum(not s.answered for s in off)} | {sum(not s.answered for s in on)} "
        f"| {fmean(s.reply_tokens for s in off):.1f} | {fmean(s.reply_tokens for s in on):.1f} "
        f"| {shown(apart.reply_tokens)} | {apart.same} |"
    )


def compare(
    model: Model,
    profile: Profile,
    governor: Governor,
    name: str,
    questions: Sequence[Question],
    most: int,
) -> None:
    """Ask all questions under both governors, one after the other, and print the row."""
    off, on = (Cell("", profile.name, each) for each in ("off", "on"))
    profiles = {off: replace(profile, governor=OFF), on: replace(profile, governor=governor)}
    wanted = plan_replies([off, on], questions, samples=1, seed=0)
    samples = list(ask(model, wanted, profiles, max_tokens=most))
    runs = [[sample for sample in samples if sample.cell == cell] for cell in (off, on)]
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
            skills = load_suite("skills", seed=asked.seed, limit=-(-asked.count // 6))
            compare(model, profile, governor, "held out", skills, asked.tokens or 400)
            compare(
                model, profile, governor, "hard", hard(asked.count, asked.seed), asked.tokens or 400
            )


if __name__ == "__main__":
    main()
