"""Measure one table of docs/evidence.md, or all of them, with the command anyone can type."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from evidence.markdown import page_with
from evidence.tables import STEPS, TABLES, Subject, Table, command, made_path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "evidence.md"
MEASURED = ROOT / "docs" / "evidence"
FOLDER = Path("build") / "evidence"  # seen from the root, as commands show it

DEMO = "QwQ-Demo"


def subject_of(asked: argparse.Namespace) -> Subject:
    """The demo, or a model's file with arithmetic step by step (or other suites)."""
    if asked.model is None:
        return Subject(
            DEMO,
            FOLDER / f"{DEMO}-F16.gguf",
            tuple(asked.suite or ("skills",)),
            limit=asked.limit or 50,
            tokens=asked.tokens or 400,
            recipes=tuple(TABLES["quants"].recipes),
        )
    tokens = asked.tokens or 600
    return Subject(
        asked.model.stem,
        asked.model,
        tuple(asked.suite or ("add", "subtract", "multiply")),
        limit=asked.limit or 100,
        tokens=tokens,
        append=STEPS if asked.append is None else asked.append,
        recipes=tuple(asked.recipes.split(",")),
        context=max(4096, asked.parallel * (tokens + 128)),
    )


def prepare(table: Table, subject: Subject) -> None:
    """Have the table's chains and models in the folder. What is there of a real model stays; of the
    demo, which may have been trained on since, all is made anew.
    """
    (ROOT / FOLDER).mkdir(parents=True, exist_ok=True)
    for chain in table.own:
        (ROOT / FOLDER / f"{chain.name}.toml").write_text(chain.toml(), encoding="utf-8")
    source = "demo" if subject.name == DEMO else str(subject.file)
    wanted = {subject.file: "F16"} if subject.name == DEMO else {}
    if table.recipes:
        wanted = {made_path(subject, recipe, FOLDER): recipe for recipe in subject.recipes}
    for path, recipe in wanted.items():
        if source == "demo" or not (ROOT / path).exists():
            made = ["quantize", source, str(path), "-r", recipe, "--no-modelfile"]
            made += ["--force"] if source == "demo" else ["--allow-requantize"]
            subprocess.run(["qwq-gguf", *made], cwd=ROOT, check=True)


def measure(table: Table, subject: Subject, asked: argparse.Namespace) -> None:
    """Ask for a table, going on where it was cut short, and keep its figures."""
    prepare(table, subject)
    words = command(
        table,
        subject,
        FOLDER,
        seed=asked.seed,
        samples=asked.samples,
        parallel=asked.parallel,
        threads=asked.threads,
    )
    print(f"{subject.name}, {table.name}", file=sys.stderr, flush=True)
    done = subprocess.run([*words, "--json"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    for cell in figures["cells"]:
        del cell["skills"]
    figures["title"] = subject.name
    MEASURED.mkdir(exist_ok=True)
    path = MEASURED / f"{table.name}-{subject.name}.json"
    path.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def measured() -> dict[str, list[dict[str, Any]]]:
    """The runs of each table that are kept, the demo's first."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for path in sorted(MEASURED.glob("*.json"), key=lambda path: (DEMO not in path.name, path)):
        found[path.name.partition("-")[0]].append(json.loads(path.read_text(encoding="utf-8")))
    return found


def main() -> None:
    """Read the command line, measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"of: {', '.join(TABLES)}")
    parser.add_argument("--model", type=Path, help="a real model's file; default: the demo")
    parser.add_argument("--suite", action="append", help="default: skills, or arithmetic")
    parser.add_argument("--append", help="said after each question; default: step by step")
    parser.add_argument("--limit", type=int, help="problems of a skill; default 50, or 100")
    parser.add_argument("--tokens", type=int, help="longest reply; default 400, or 600")
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("-t", "--threads", type=int)
    parser.add_argument("--recipes", default="Q4_K_M,Q3_K_M,Q2_K", help="of --model, for quants")
    parser.add_argument("--page", action="store_true", help="only write the page anew")
    asked = parser.parse_args()
    unknown = [name for name in asked.tables if name not in TABLES]
    if unknown:
        parser.error(f"no such table: {', '.join(unknown)}")
    if not asked.page:
        subject = subject_of(asked)
        for name in asked.tables or TABLES:
            measure(TABLES[name], subject, asked)
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8"), measured()), encoding="utf-8")


if __name__ == "__main__":
    main()
