"""What several replies at once gain an evaluation, on one GGUF: `eval thinking --parallel`.

    ./scripts/bench eval MODEL.gguf

Asks the same questions one by one, 4 and 16 at once, in turns, each reply up to `--tokens`; figures
are medians of the turns. Tokens a second are all generated ones by the whole time, prompts and
grading included, as a user waits for it. What several at once may reach is what
`./scripts/bench engine` measures of texts that never wait for a grader.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from qwq_gguf.engine.model import Model
from qwq_gguf.evaluation.asking.governors import OFF
from qwq_gguf.evaluation.asking.plan import plan_replies
from qwq_gguf.evaluation.asking.running import ask
from qwq_gguf.evaluation.asking.sample import Cell
from qwq_gguf.evaluation.suites import load_suite
from qwq_gguf.profiles import Profile, load_profile

STEPS = " Think step by step, and put the result into \\boxed{}."
AT_ONCE = (1, 4, 16)


def one_turn(
    model: Model, profile: Profile, parallel: int, asked: argparse.Namespace
) -> dict[str, float]:
    """Ask everything so many at once."""
    cell = Cell(model.name, profile.name, "off")
    questions = [
        replace(question, text=question.text + STEPS)
        for question in load_suite("multiply", limit=asked.count)
    ]
    wanted = plan_replies([cell], questions, samples=1, seed=asked.seed)
    began = time.perf_counter()
    samples = list(ask(model, wanted, {cell: profile}, parallel=parallel, max_tokens=asked.tokens))
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "replies_per_second": len(samples) / seconds,
        "tokens_per_second": sum(sample.reply_tokens for sample in samples) / seconds,
        "right": sum(sample.right for sample in samples),
    }


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--count", type=int, default=32, help="questions")
    parser.add_argument("--tokens", type=int, default=128, help="longest reply")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-t", "--threads", type=int)
    parser.add_argument("--json", type=Path, help="keep the figures here")
    asked = parser.parse_args()
    profile = load_profile("qwen-reference").with_governor(OFF)
    turns: dict[int, list[dict[str, float]]] = {parallel: [] for parallel in AT_ONCE}
    with Model.load(asked.model, threads=asked.threads, context=8192) as model:
        one_turn(model, profile, 1, argparse.Namespace(count=1, tokens=8, seed=0))  # warms up
        for _ in range(asked.turns):
            for parallel in AT_ONCE:
                turns[parallel].append(one_turn(model, profile, parallel, asked))
    medians: dict[int, dict[str, Any]] = {
        parallel: {name: statistics.median(turn[name] for turn in rows) for name in rows[0]}
        for parallel, rows in turns.items()
    }
    base = medians[1]["tokens_per_second"]
    print("| at once | tokens a second | gain | replies a second | right |\n|--:|--:|--:|--:|--:|")
    for parallel, row in medians.items():
        rate = row["tokens_per_second"]
        print(
            f"| {parallel} | {rate:.1f} | {rate / base:.2f} | {row['replies_per_second']:.2f} "
            f"| {row['right']:g} of {asked.count} |"
        )
    if asked.json is not None:
        asked.json.write_text(json.dumps(turns, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
