"""From generated texts and rules to the files of tests/loops."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from loop_corpus.criterion import label
from loop_corpus.honest import honest_texts
from loop_corpus.measure import FLOOR
from loop_corpus.plan import HELD_OUT
from loop_corpus.store import HONEST, LINE_BREAKS, LOOPING, Half, Honest, Looping, write
from qwq_gguf.engine.model import Model

__all__ = ["collect"]

_ROOT = Path(__file__).resolve().parents[3]
_FROM_FILES = (
    "requirements/dev.lock", "requirements/run.lock", "quant_recipes/Q4_K_M.toml",
    "quant_recipes/IQ2_XS.toml", "tests/golden/llama.json", "docs/chains/measured.json",
    "docs/runtimes.md", "docs/conformance.md", "docs/sampling.md", "docs/quantize.md",
    "qwq_gguf/ggml_types.py", "qwq_gguf/errors.py", "qwq_gguf/profiles/qwq.toml",
    "docs/chains/penalty.svg", "tests/data/lmstudio-keys.json",
    "qwq_gguf/sampling/stages.py", "CONTRIBUTING.md", "pyproject.toml", "LICENSE",
    "tests/sampling/transformers_vectors.json",
)  # fmt: skip
_FROM_COMMANDS = (
    ("git", "log", "--oneline", "-60"),
    ("git", "log", "--format=%h %s", "--stat", "-12"),
    ("git", "ls-files", "tests"),
    ("python", "-m", "dis", "qwq_gguf/thinking/tags.py"),
    ("python", "-m", "tokenize", "qwq_gguf/thinking/tags.py"),
    ("python", "-m", "ast", "qwq_gguf/thinking/tags.py"),
    ("python", "-m", "calendar", "2027"),
    ("od", "-A", "x", "-t", "x1z", "docs/chat.svg"),
    ("ls", "-lR", "qwq_gguf"),
)
_CHARACTERS = 5000
_LEAST = 40  # tokens of a model's own text that is worth keeping
_SAME = 150  # tokens that two texts of one file may not have in common from the first on


def collect(made: Path, tokenizers: dict[str, Model], models: dict[str, Model]) -> None:
    """Write the files. `models` are those of the generated texts, by name."""
    looping: list[Looping] = []
    honest = [*_by_rule(tokenizers), *_of_this_repository(tokenizers)]
    seen: set[tuple[object, ...]] = set()  # greedy chains say the same to the same
    for path in sorted(made.glob("*.jsonl"), key=lambda path: (path.stem in HELD_OUT, path.name)):
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            tokens, end, text = (entry.pop(key) for key in ("tokens", "end", "text"))
            same = (entry["model"], entry["quant"], tuple(tokens[:_SAME]))
            if same in seen:
                continue
            seen.add(same)
            half: Half = "held-out" if path.stem in HELD_OUT else "tuning"
            found = label(tokens)
            if found is not None and end == "length" and len(tokens) - found.begin < FLOOR:
                continue  # it ends before a detector has had all the time it is given
            if found is not None:
                labels = (found.kind, found.period, found.begin)
                looping.append(Looping(half, entry, end, *labels, text, tokens))
            elif end == "eog" and len(tokens) >= _LEAST:
                honest.append(Honest(half, entry, text, {entry["model"]: tokens}))
    write(LOOPING, looping)
    write(HONEST, honest)
    _write_line_breaks(looping, honest, {**models, **tokenizers})
    for file, entries in ((LOOPING, looping), (HONEST, honest)):
        print(f"{file.name}: {len(entries)} texts, {file.stat().st_size} bytes", file=sys.stderr)


def _write_line_breaks(
    looping: Iterable[Looping], honest: Iterable[Honest], models: dict[str, Model]
) -> None:
    used: dict[str, set[int]] = {}
    for text in looping:
        used.setdefault(text.origin["model"], set()).update(text.tokens)
    for honest_text in honest:
        for name, tokens in honest_text.tokens.items():
            used.setdefault(name, set()).update(tokens)
    breaks = {
        name: sorted(token for token in tokens if b"\n" in models[name].piece(token))
        for name, tokens in sorted(used.items())
    }
    LINE_BREAKS.write_text(json.dumps(breaks) + "\n", encoding="utf-8")


def _by_rule(tokenizers: dict[str, Model]) -> Iterator[Honest]:
    for half, kind, seed, text in honest_texts():
        yield _honest(half, {"kind": kind, "seed": seed}, text, tokenizers)


def _of_this_repository(tokenizers: dict[str, Model]) -> Iterator[Honest]:
    for name in _FROM_FILES:
        text = (_ROOT / name).read_text(encoding="utf-8")
        yield _honest(_half(name), {"file": name}, text[:_CHARACTERS], tokenizers)
    for command in _FROM_COMMANDS:
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
        said = " ".join(command)
        yield _honest(_half(said), {"command": said}, done.stdout[:_CHARACTERS], tokenizers)


def _honest(half: Half, origin: dict[str, Any], text: str, by: dict[str, Model]) -> Honest:
    return Honest(half, origin, text, {n: m.vocabulary.encode_text(text) for n, m in by.items()})


def _half(text: str) -> Half:
    """By name, for good."""
    return "held-out" if hashlib.sha256(text.encode()).digest()[0] % 2 else "tuning"
