"""Measure chains with the demo model, by the command anyone can type, and write the table."""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from qwq_gguf.machine import usable_processors
from qwq_gguf.profiles import Profile, load_profile
from qwq_gguf.resources import demo_checkpoint

ROOT = Path(__file__).resolve().parents[2]
CHAINS = ROOT / "docs" / "chains"
MEASURED = CHAINS / "measured.json"
PAGE = ROOT / "docs" / "sampling.md"
MODEL = ROOT / "build" / "chains" / "QwQ-Demo-F16.gguf"

# A shipped profile by its name, or one of docs/chains/, and what the table calls it.
ROWS = (
    ("qwen-reference", "no penalty, temperature first (vLLM)"),
    ("qwen-llama-cpp", "no penalty, temperature last"),
    ("qwq", "**presence 1 last, temperature first: the profile `qwq`**"),
    ("presence-2-last", "presence 2 last, temperature first"),
    ("truncate-first", "presence 1 last, temperature after the truncation"),
    ("presence-1-first", "presence 1 first"),
    ("presence-2-first", "presence 2 first"),
    ("repeat-1.1-last", "repeat 1.1 last, temperature first"),
    ("repeat-1.1-first", "repeat 1.1 first"),
    ("repeat-1.3-last", "repeat 1.3 last, temperature first"),
    ("repeat-1.3-first", "repeat 1.3 first"),
    ("unsloth", "dry 0.5, temperature last"),
    ("llama-cpp", "no penalty, temperature 0.8 last: llama.cpp's defaults"),
    ("lm-studio", "repeat 1.1 first, temperature 0.8: LM Studio's defaults"),
    ("ollama-before-0.32", "repeat 1.1 first, temperature 0.8: Ollama's until 0.32"),
)
SUITE = "skills"
LIMIT = 50  # problems of each of the six skills
SEED = 0

BEGIN = "<!-- measured: ./scripts/measure_chains writes what follows -->"
END = "<!-- measured ends -->"


def profile_argument(name: str) -> str:
    """What `--profile` takes for a row, seen from the root of the repository."""
    own = CHAINS / f"{name}.toml"
    return str(own.relative_to(ROOT)) if own.is_file() else name


def profile_of(name: str) -> Profile:
    """The profile of a row."""
    own = CHAINS / f"{name}.toml"
    return load_profile(own if own.is_file() else name)


def chain_of(profile: Profile) -> dict[str, Any]:
    """What is measured, as JSON holds it: a later change of the profile is noticed."""
    chain: dict[str, Any] = json.loads(
        json.dumps({"order": profile.chain.order, **profile.chain.settings()})
    )
    return chain


def plain(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures that the page has, without their intervals."""
    tokens = figures["thought_tokens"]
    return {
        "samples": figures["samples"],
        "right": figures["right"],
        "accuracy": figures["accuracy"]["value"],
        "unclosed": figures["unanswered"],
        "thinking_tokens": {name: tokens[name]["value"] for name in ("mean", "median", "p95")},
    }


def ask(name: str) -> dict[str, Any]:
    """Run one row and return its figures."""
    command = [
        "qwq-gguf", "eval", "thinking", str(MODEL), "--suite", SUITE, "--limit", str(LIMIT),
        "--seed", str(SEED), "--profile", profile_argument(name), "-t", "1", "--parallel", "1",
        "--json",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    (cell,) = json.loads(done.stdout)["cells"]
    figures = {
        "profile": cell["profile"],
        **plain(cell),
        "skills": {n: plain(s) for n, s in cell["skills"].items()},
    }
    print(f"{name}: {figures['right']} of {figures['samples']}", file=sys.stderr, flush=True)
    return {"chain": chain_of(profile_of(name)), **figures}


def make_model() -> None:
    """Make it anew: one that is there may be of earlier weights."""
    MODEL.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["qwq-gguf", "quantize", "demo", str(MODEL), "-r", "F16", "--force", "--no-modelfile"],
        check=True,
    )


def measure() -> None:
    """Make the model, ask it everything, and keep the figures."""
    make_model()
    names = [name for name, _ in ROWS]
    with ThreadPoolExecutor(usable_processors()) as workers:
        figures = dict(zip(names, workers.map(ask, names), strict=True))
    weights = hashlib.sha256()
    for shard in sorted(demo_checkpoint().glob("*.safetensors")):
        weights.update(shard.read_bytes())
    measured = {
        "schema": "qwq-gguf/measured-chains/1",
        "weights_sha256": weights.hexdigest(),
        "file": MODEL.name,
        "suite": SUITE,
        "limit": LIMIT,
        "seed": SEED,
        "chains": figures,
    }
    MEASURED.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


def table(measured: dict[str, Any]) -> str:
    """The figures as Markdown, a row a chain, and the command of each."""
    lines = [
        "| chain | right | of | unclosed | mean | median | p95 | `--profile` |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for name, words in ROWS:
        figures = measured["chains"][name]
        tokens = figures["thinking_tokens"]
        lines.append(
            f"| {words} | {figures['right']} | {figures['samples']} | {figures['unclosed']} "
            f"| {tokens['mean']:.2f} | {tokens['median']:g} | {tokens['p95']:g} "
            f"| `{profile_argument(name)}` |"
        )
    command = (
        f"qwq-gguf quantize demo -r F16\n"
        f"qwq-gguf eval thinking QwQ-Demo-F16.gguf --suite {measured['suite']} "
        f"--limit {measured['limit']} --seed {measured['seed']} --profile PROFILE"
    )
    return "\n".join([*lines, "", "```sh", command, "```"])


def with_table(page: str, measured: dict[str, Any]) -> str:
    """The page with the table between its marks made anew."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{table(measured)}\n\n{END}{after}"


def main() -> None:
    """Measure, unless only the table is wanted, and write the table."""
    parser = argparse.ArgumentParser(description="Measure what chains cost the demo model.")
    parser.add_argument("--table", action="store_true", help="only write the table anew")
    if not parser.parse_args().table:
        measure()
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    page = with_table(PAGE.read_text(encoding="utf-8"), measured)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
