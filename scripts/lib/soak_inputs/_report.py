"""`scripts/soak inputs`: every class in turn, and a table of what came of it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence

from soak_inputs import class_names
from soak_inputs._bounded import Bounds, Tally, soak

__all__ = ["add_arguments", "run", "table"]

_SCHEMA = "qwq-gguf/soak-inputs/1"
_SHOWN = 10  # crashes of a class that are printed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    parser.add_argument(
        "--class", dest="classes", action="append", metavar="NAME", choices=class_names()
    )
    parser.add_argument("--trials", type=int, default=20_000, help="of each class")
    parser.add_argument("--seed", type=int, default=0, help="the first; a batch has the next")
    parser.add_argument("--batch", type=int, default=Bounds().batch, help="trials of one seed")
    parser.add_argument("--deadline", type=float, default=Bounds().seconds, help="of one trial")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(asked: argparse.Namespace) -> int:
    """Soak and print; 1 when anything crashed."""
    bounds = Bounds(seconds=asked.deadline, batch=asked.batch)
    tallies = []
    for name in asked.classes or class_names():
        begun = time.monotonic()

        def told(tally: Tally, begun: float = begun) -> None:
            print(
                f"{tally.name}: {tally.tried} tried, {len(tally.crashes)} crashed, "
                f"{time.monotonic() - begun:.0f} s",
                file=sys.stderr,
                flush=True,
            )

        tallies.append(soak(name, asked.trials, asked.seed, bounds, told))
    if asked.json:
        found = {"schema": _SCHEMA, "seed": asked.seed, "batch": asked.batch}
        print(json.dumps(found | {"classes": [tally.to_json() for tally in tallies]}, indent=2))
    else:
        print(table(tallies))
    for tally in tallies:
        for crash in tally.crashes[:_SHOWN]:
            again = f"--class {tally.name} --seed {crash.seed} --batch {asked.batch}"
            print(f"{tally.name}: {crash.label}: {crash.what}", file=sys.stderr)
            print(f"  again: {again} --trials {crash.number + 1}", file=sys.stderr)
    return 1 if any(tally.crashes for tally in tallies) else 0


def table(tallies: Sequence[Tally]) -> str:
    """Counts as a table of Markdown."""
    rows = ["| class | tried | accepted | refused | crashed | slowest (s) | most memory (MiB) |"]
    rows.append("|---|--:|--:|--:|--:|--:|--:|")
    rows += [
        f"| {t.name} | {t.tried:,} | {t.accepted:,} | {t.refused:,} | {len(t.crashes):,} | "
        f"{t.slowest:.2f} | {t.mib:.0f} |"
        for t in tallies
    ]
    return "\n".join(rows)
