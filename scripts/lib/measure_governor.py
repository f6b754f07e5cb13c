"""A governor against none, paired: right answers, replies without one, tokens.

Until a governor acts, a reply is what it would be without one: the same logits, the same dice.
So all is asked without a governor first, and with it only those replies that it may have something
to do in; the others count for both sides as they are. (Asked twice, several at once, one reply in
two differs by rounding alone, which hides what the governor does.) A governor that steers all along
is asked in full.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from qwq_gguf.engine.model import Model
from qwq_gguf.engine.saving.made_with import files_digest
from qwq_gguf.evaluation.asking.bootstrap import Estimate
from qwq_gguf.evaluation.asking.governors import OFF
from qwq_gguf.evaluation.asking.pairing import difference
from qwq_gguf.evaluation.asking.plan import plan_replies
from qwq_gguf.evaluation.asking.run_record import FINGERPRINT, run_record
from qwq_gguf.evaluation.asking.running import ask
from qwq_gguf.evaluation.asking.sample import Cell, Sample
from qwq_gguf.evaluation.asking.samples_file import SamplesFile
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


_BY_ITSELF = {"none", "closed"}  # how a thought ends that nobody has ended
_AS_ASKED = {"stop", "length"}  # an answer that is cut off at the limit is so with a governor, too


def may_act(sample: Sample, governor: Governor, most: int) -> bool:
    """Whether a governor may have something to do in a reply of at most `most` tokens that was made
    without one. Rather too often than too seldom.

    Not seen: an answer of blanks that says something after all.
    """
    if governor.steers or governor.margin is not None or governor.seconds is not None:
        return True
    bounds = [most // 2]  # the answer's room is a quarter of it at most
    if governor.budget is not None:
        bounds.append(governor.budget)
    return (
        sample.looped
        or not sample.answered
        or sample.thought_ended not in _BY_ITSELF
        or sample.finish_reason not in _AS_ASKED
        or sample.thought_tokens > min(bounds)
    )


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
    asked: argparse.Namespace,
) -> None:
    """Ask what is not in the file yet under both governors, and print the row of what is."""
    off, on = (Cell("", profile.name, each) for each in ("off", "on"))
    profiles = {off: replace(profile, governor=OFF), on: replace(profile, governor=governor)}
    most = asked.tokens or (1000 if asked.model else 400)
    record = run_record(
        dict.fromkeys(FINGERPRINT)
        | {
            "models": files_digest(model.files.paths),
            "suites": [question.key for question in questions],
            "profiles": profile.name,
            "governors": str(governor),
            "max_tokens": most,
            "seed": asked.seed,
        },
        {"parallel": asked.together},
    )
    asked.kept.mkdir(parents=True, exist_ok=True)
    path = asked.kept / f"{model.path.stem}-{name.replace(' ', '-')}.jsonl"
    end = time.monotonic() + asked.seconds if asked.seconds else None
    with SamplesFile(path, record, force=asked.force) as file:
        samples = list(file.done)
        there = {sample.reply_key for sample in samples}
        for cell in (off, on):
            asked_again = {s.key for s in samples if s.cell == off and may_act(s, governor, most)}
            wanted = [
                one
                for one in plan_replies([cell], questions, samples=1, seed=asked.seed)
                if one.reply_key not in there and (cell == off or one.question.key in asked_again)
            ]
            with closing(
                ask(model, wanted, profiles, parallel=asked.together, max_tokens=most)
            ) as replies:
                for sample in replies:
                    file.write(sample)
                    samples.append(sample)
                    print(f"\r{name}: {len(samples)} replies", end="", file=sys.stderr, flush=True)
                    if end is not None and time.monotonic() > end:
                        break
    print(file=sys.stderr)
    by_key = [{s.key: s for s in samples if s.cell == cell} for cell in (off, on)]
    by_key[1] |= {key: s for key, s in by_key[0].items() if not may_act(s, governor, most)}
    both = [key for key in by_key[0] if key in by_key[1]]
    if both:
        runs = [[side[key] for key in both] for side in by_key]
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
    parser.add_argument("--together", type=int, default=8, help="replies at once")
    parser.add_argument("--seconds", type=float, help="stop after that; the next run goes on")
    parser.add_argument("--kept", type=Path, default=Path("build/governor"), metavar="FOLDER")
    parser.add_argument("--force", action="store_true", help="begin anew")
    parser.add_argument("-t", "--threads", type=int)
    asked = parser.parse_args()
    settings = {key: v for text in asked.govern for key, v in governor_settings(text).items()}
    with tempfile.TemporaryDirectory() as folder:
        path = asked.model
        if path is None:
            path = Path(folder) / "demo.gguf"
            command = ["quantize", "demo", str(path), "-r", "F16", "--no-modelfile"]
            subprocess.run(["qwq-gguf", *command], check=True)
        context = max(4096, 1024 * asked.together)
        with Model.load(path, threads=asked.threads, context=context) as model:
            profile = resolve(model.metadata, requested=asked.profile).profile
            governor = with_governor_settings(profile.governor, settings)
            print(f"{governor}", file=sys.stderr)
            print("| suite | problems | right off | right on | difference | unanswered off | on "
                  "| tokens off | on | difference | the same |")  # fmt: skip
            print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
            suites = {"arithmetic": arithmetic(asked.count, asked.seed)}
            if asked.model is None:
                skills = load_suite("skills", seed=asked.seed, limit=-(-asked.count // 6))
                suites = {"held out": list(skills), "hard": hard(asked.count, asked.seed)}
            for name, questions in suites.items():
                compare(model, profile, governor, name, questions, asked)


if __name__ == "__main__":
    main()
