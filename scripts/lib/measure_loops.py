"""Measure the loop detector on the texts of tests/loops, and write the table."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from loop_corpus.measure import FLOOR, Found, false_alarms, follow
from loop_corpus.store import Honest, Looping, read_honest, read_looping

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "thinking.md"
BEGIN = "<!-- loops: ./scripts/measure_loops writes what follows -->"
END = "<!-- loops end -->"


def share(part: int, whole: int) -> str:
    """A count of a whole, with its percentage."""
    return f"{part} ({100 * part / whole:.1f} %)" if whole else "-"


def looping_row(name: str, found: Sequence[Found]) -> str:
    """A row of the table of looping texts."""
    delays = sorted(each.delay for each in found if each.delay is not None)
    periods = sorted(each.periods for each in found if each.periods is not None)
    spread = "- | - | -"
    if delays:
        late = delays[int(0.95 * (len(delays) - 1))]
        spread = f"{median(delays):g} | {late} | {median(periods):.1f}"
    decided = [each for each in found if not each.undecided(3, FLOOR)]
    return (
        f"| {name} | {len(found)} | {share(len(delays), len(found))} | {len(found) - len(decided)} "
        f"| {share(sum(each.within(3, FLOOR) for each in decided), len(decided))} "
        f"| {share(sum(each.within(3) for each in found), len(found))} | {spread} |"
    )


def table(looping: Sequence[Looping], honest: Sequence[Honest]) -> str:
    """Both tables as Markdown."""
    began = time.process_time()
    found = follow(looping)
    alarms = false_alarms(honest)
    seconds = time.process_time() - began
    groups: list[tuple[str, list[Found]]] = [("**all**", found)]
    groups += [(half, [f for f in found if f.text.half == half]) for half in ("tuning", "held-out")]
    groups += [(kind, [f for f in found if f.text.kind == kind]) for kind in ("periodic", "near")]
    for model in sorted({f"{f.text.origin['model']}, {f.text.origin['quant']}" for f in found}):
        groups.append(
            (model, [f for f in found if model.startswith(f.text.origin["model"] + ",")
                     and model.endswith(", " + f.text.origin["quant"])])
        )  # fmt: skip
    lines = [
        "| looping texts | texts | found | cut too soon | in time, of the others "
        "| within 3 periods | median delay | 95 % | in periods |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
        *(looping_row(name, rows) for name, rows in groups if rows),
        "",
        "| honest texts | texts | token sequences | tokens | texts with a false alarm |",
        "|---|--:|--:|--:|--:|",
    ]
    halves: list[tuple[str, Sequence[Honest]]] = [("**all**", honest)]
    halves += [(half, [h for h in honest if h.half == half]) for half in ("tuning", "held-out")]
    for name, texts in halves:
        ids = [tokens for text in texts for tokens in text.tokens.values()]
        wrong = sum(any(text is alarm[0] for alarm in alarms) for text in texts)
        lines.append(f"| {name} | {len(texts)} | {len(ids)} | {sum(map(len, ids)):,} | {wrong} |")
    caught = sum(each.delay is not None for each in found)
    wrong_texts = len({id(alarm[0]) for alarm in alarms})
    fed = sum(len(t.tokens) for t in looping) + sum(
        len(i) for h in honest for i in h.tokens.values()
    )
    lines += [
        "",
        f"Precision {caught / (caught + wrong_texts):.3f}, recall {caught / len(found):.3f}. "
        f"At most {1e6 * seconds / fed:.0f} µs a token.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description="Measure the loop detector.")
    parser.add_argument("--print", action="store_true", help="print them and write nothing")
    said = table(list(read_looping()), list(read_honest()))
    if parser.parse_args().print:
        print(said)
        return
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{said}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
