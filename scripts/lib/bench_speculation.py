"""Tokens a second with guesses ahead and without, on one GGUF, in turns.

    ./scripts/bench speculation MODEL.gguf [--draft SMALLER.gguf]

Texts that repeat what is there (code to be rewritten, sentences to be quoted and corrected) and
texts that do not (a story, an explanation), greedy, each side in turn. Prompts are not counted.
Tokens a second are medians of the turns; CPU milliseconds a token are those of this process on all
cores, which mean something on a busy machine, too. `same` is how many tokens are those of the
text without guesses, and `gap` how far apart the logits of the two next ones are there: next to
nothing, as llama.cpp rounds otherwise where it computes several tokens at once.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from qwq_gguf.chat.speculated import Speculated
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.engine.speculation.speculation import Speculation
from qwq_gguf.jobs.settings import profile_for
from qwq_gguf.sampling import Greedy, SamplerChain

GREEDY = SamplerChain((Greedy(),))

_CODE = """
class Basket:
    def __init__(self, owner):
        self.owner = owner
        self.items = []

    def add_item(self, name, price, quantity=1):
        if price < 0:
            raise ValueError("the price of an item cannot be negative")
        self.items.append({"name": name, "price": price, "quantity": quantity})

    def remove_item(self, name):
        self.items = [item for item in self.items if item["name"] != name]

    def total_price(self):
        return sum(item["price"] * item["quantity"] for item in self.items)
"""
_LETTER = """
Dear Sir, i am writting to inform you that the shipment which was send on Monday have not arrived at
our warehouse. Our customers is waiting for there orders since two weeks, and we has already
received a lot of complains. Please let us know untill Friday when we can expect the delivery, and
weather the missing boxes will be replaced without additional costs.
"""

TEXTS = {
    "rewrite code": (True, f"Rename add_item to add in this code. Print all of it.\n{_CODE}"),
    "quote and correct": (
        True,
        f"Quote this letter word for word, then correct its mistakes.\n{_LETTER}",
    ),
    "a story": (False, "Write a story about a lighthouse keeper who finds a letter in the sea."),
    "an explanation": (False, "Explain how a bill becomes a law, to somebody who is twelve."),
}


class Side:
    """One way to compute them."""

    def __init__(self, model: Model, speculation: Speculation | None) -> None:
        model.speculation = speculation
        self.session = Session(model)

    def run(self, prompt: list[int], most: int) -> dict[str, Any]:
        generation = self.session.generate(prompt, GREEDY, seed=1, max_tokens=most)
        tokens = [next(generation).token]
        wall, cpu = time.perf_counter(), time.process_time()
        tokens += [token for token, _ in generation]
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        rest = max(1, len(tokens) - 1)
        told = generation.speculated or Speculated(steps=rest, tokens=rest)
        return {"rate": rest / wall, "cpu": 1000 * cpu / rest, "tokens": tokens, "told": told}

    def gap(self, prompt: list[int], one: int, other: int) -> float:
        """How far apart the logits of two tokens are after this text."""
        next(self.session.generate(prompt, GREEDY, seed=1))
        logits = self.session.logits()
        return abs(float(logits[one] - logits[other]))


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    how = {"context": 4096, "threads": arguments.threads}
    with Model.load(arguments.model, **how) as model:
        sides = {"off": Side(model, None), "text": Side(model, Speculation(model))}
        if arguments.draft is not None:
            draft = Model.load(arguments.draft, **how)
            ahead = Speculation(model, draft=draft, most=arguments.draft_tokens)
            model.speculate(ahead)
            sides["model"] = Side(model, ahead)
        profile, _ = profile_for(model.metadata, None)
        asking = Conversation(model, profile, session=sides["off"].session)
        for name, (repeats, question) in TEXTS.items():
            prompt = asking.prompt_tokens(question)
            runs: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
            for turn in range(arguments.turns):
                for side in sorted(sides, reverse=bool(turn % 2)):
                    runs[side].append(sides[side].run(prompt, arguments.tokens))
            usual = runs["off"][0]["tokens"]
            for side, made in runs.items():
                told = sum((each["told"] for each in made), Speculated())
                ahead_tokens = made[0]["tokens"]
                same = _alike(usual, ahead_tokens)
                gap = None
                if same < min(len(usual), len(ahead_tokens)):
                    text = [*prompt, *usual[:same]]
                    gap = sides["off"].gap(text, usual[same], ahead_tokens[same])
                row = {
                    "text": name,
                    "repeats": repeats,
                    "side": side,
                    "tokens_per_second": statistics.median(each["rate"] for each in made),
                    "cpu_ms": statistics.median(each["cpu"] for each in made),
                    "tokens_per_step": told.tokens_per_step,
                    "drafted": told.drafted,
                    "acceptance": told.acceptance,
                    "same": f"{same} of {len(usual)}",
                    "gap": gap,
                }
                rows.append(row)
                print(
                    f"{name:18}{side:7}{row['tokens_per_second']:8.1f}{row['cpu_ms']:9.1f}"
                    f"{row['tokens_per_step']:10.2f}{100 * told.acceptance:9.0f} %"
                    f"{told.drafted // len(made):9}  {row['same']}"
                    + ("" if gap is None else f", gap {gap:.3f}"),
                    flush=True,
                )
    return rows


def _alike(one: list[int], other: list[int]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench speculation", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--draft", type=Path, help="a smaller model with the same tokens")
    parser.add_argument("--draft-tokens", type=int, help="of it at once (default: as many as pay)")
    parser.add_argument("--threads", type=int, default=2, help="(default 2)")
    parser.add_argument("--turns", type=int, default=3, help="of each (default 3)")
    parser.add_argument("--tokens", type=int, default=256, help="a text has at most (default 256)")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    print(f"{arguments.model.name}, {arguments.threads} threads\n")
    print("                           tok/s   CPU ms  tokens a  guesses   of them  same")
    print("                                  a token      step    right   guessed")
    rows = measure(arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
