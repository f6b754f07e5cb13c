"""Train the demo reasoner: a tokenizer, a checkpoint in QwQ's layout, a log.

    pip install -e '.[train]'
    python scripts/train_demo/train.py --minutes 50 --out qwq_gguf/demo/checkpoint

Seeded: the same seed and number of steps draw the same problems.
The learning rate follows the clock or the steps, whichever limit is given.
"""

from __future__ import annotations

import argparse
import random
import time
from itertools import islice
from pathlib import Path

import conversations
import torch
import torch.nn.functional as F
import vocabulary
from network import Qwen2, Shape
from rows import batches
from save import load_weights, save_checkpoint
from tokenizers import Tokenizer
from torch import nn


def optimizers(model: Qwen2, rate: float) -> list[torch.optim.Optimizer]:
    matrices = [p for n, p in model.model.layers.named_parameters() if p.dim() == 2]
    inside = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in inside]
    return [
        torch.optim.Muon(matrices, lr=rate * 8, weight_decay=0.02, momentum=0.95),
        torch.optim.AdamW(rest, lr=rate * 2, weight_decay=0.0, betas=(0.9, 0.95)),
    ]


def schedule(done: float) -> float:
    """Share of the peak learning rate at a share `done` of the run: warm up, hold, fall."""
    if done < 0.02:
        return done / 0.02
    return min(1.0, max(0.0, (1 - done) / 0.5)) * 0.98 + 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=2.5e-3)
    parser.add_argument("--start", type=Path, help="go on from the weights in this folder")
    parser.add_argument("--slip", type=float, default=0.5, help="share of thoughts with slips")
    parser.add_argument("--share", action="append", default=[], metavar="SKILL=N")
    arguments = parser.parse_args()
    if not arguments.minutes and not arguments.steps:
        parser.error("give --minutes or --steps")
    torch.manual_seed(arguments.seed)
    rules = conversations.Rules(arguments.slip)
    shape = Shape()
    model = Qwen2(shape)
    if arguments.start:
        tokenizer = Tokenizer.from_file(str(arguments.start / "tokenizer.json"))
        model.load_state_dict(load_weights(arguments.start))
    else:
        corpus = conversations.samples(random.Random(arguments.seed), rules)
        tokenizer = vocabulary.build([sample.text for sample in islice(corpus, 3000)])
    for share in arguments.share:
        skill, _, weight = share.partition("=")
        conversations.SHARES[skill] = int(weight)
    print("parameters:", sum(p.numel() for p in model.parameters()))
    optimize = optimizers(model, arguments.rate)
    peaks = [o.param_groups[0]["lr"] for o in optimize]
    start, step = time.monotonic(), 0
    recent: list[float] = []
    rng = random.Random(arguments.seed)
    data = batches(tokenizer, conversations.samples(rng, rules))
    while True:
        passed = (time.monotonic() - start) / 60
        done = step / arguments.steps if arguments.steps else passed / arguments.minutes
        if done >= 1:
            break
        for o, peak in zip(optimize, peaks, strict=True):
            o.param_groups[0]["lr"] = peak * schedule(done)
        parts = [tuple(map(torch.tensor, zip(*rows, strict=True))) for rows in next(data)]
        total = sum(weights[:, 1:].sum() for _, weights in parts)
        loss = 0.0
        for tokens, weights in parts:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(tokens[:, :-1]).flatten(0, 1)
            each = F.cross_entropy(logits.float(), tokens[:, 1:].flatten(), reduction="none")
            part = (each * weights[:, 1:].flatten()).sum() / total
            part.backward()
            loss += part.item()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for o in optimize:
            o.step()
            o.zero_grad(set_to_none=True)
        step += 1
        recent.append(loss)
        if step % 50 == 0:
            mean = sum(recent) / len(recent)
            print(f"step {step} loss {mean:.4f} min {passed:.1f} done {done:.3f}", flush=True)
            recent.clear()
        if step % 500 == 0:
            save_checkpoint(model, shape, tokenizer, arguments.out)
    save_checkpoint(model, shape, tokenizer, arguments.out)
    print(f"finished at step {step}")


if __name__ == "__main__":
    main()
