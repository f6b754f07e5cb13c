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
from loop_corpus.store import (
    HONEST,
    LINE_BREAKS,
    LOOPING,
    Half,
    Honest,
    Looping,
    line_breaks,
    read_honest,
    read_looping,
    write,
)
from qwq_gguf.engine.model import Model

__all__ = ["collect", "labelled", "store"]

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
    """Add what is not there yet to the files; `models` made the generated texts, by name."""
    looping, honest = list(read_looping()), list(read_honest())
    there = {_name(text.origin) for text in honest}
    honest += [*_by_rule(tokenizers, there), *_of_this_repository(tokenizers, there)]
    # Greedy chains say the same to the same.
    seen = {_beginning(text.origin, text.tokens) for text in looping} | {
        _beginning(text.origin, tokens)
        for text in honest
        if "model" in text.origin
        for tokens in text.tokens.values()
    }
    for path in sorted(made.glob("*.jsonl"), key=lambda path: (path.stem in HELD_OUT, path.name)):
        half: Half = "held-out" if path.stem in HELD_OUT else "tuning"
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            tokens, end, text = (entry.pop(key) for key in ("tokens", "end", "text"))
            if _beginning(entry, tokens) in seen:
                continue
            seen.add(_beginning(entry, tokens))
            found = labelled(half, entry, end, text, tokens)
            if found is not None:
                looping.append(found)
            elif end == "eog" and len(tokens) >= _LEAST and label(tokens) is None:
                honest.append(Honest(half, entry, text, {entry["model"]: tokens}))
    store(looping, honest, {**models, **tokenizers})


def labelled(
    half: Half, origin: dict[str, Any], end: str, text: str, tokens: list[int]
) -> Looping | None:
    """A looping text; None for one that doesn't loop, or gives a detector less than its time."""
    found = label(tokens)
    if found is None or (end != "eog" and len(tokens) - found.begin < FLOOR):
        return None
    return Looping(half, origin, end, found.kind, found.period, found.begin, text, tokens)


def store(looping: list[Looping], honest: list[Honest], models: dict[str, Model]) -> None:
    """Write the files."""
    write(LOOPING, looping)
    write(HONEST, honest)
    _write_line_breaks(looping, honest, models)
    for file, entries in ((LOOPING, looping), (HONEST, honest)):
        print(f"{file.name}: {len(entries)} texts, {file.stat().st_size} bytes", file=sys.stderr)


def _beginning(origin: dict[str, Any], tokens: list[int]) -> tuple[Any, ...]:
    return (origin["model"], origin["quant"], *tokens[:_SAME])


def _name(origin: dict[str, Any]) -> tuple[Any, ...]:
    """What an honest text is known by that no model wrote."""
    return tuple(origin.get(key) for key in ("kind", "seed", "file", "command"))


def _write_line_breaks(
    looping: Iterable[Looping], honest: Iterable[Honest], models: dict[str, Model]
) -> None:
    used: dict[str, set[int]] = {}
    for text in looping:
        used.setdefault(text.origin["model"], set()).update(text.tokens)
    for honest_text in honest:
        for name, tokens in honest_text.tokens.items():
            used.setdefault(name, set()).update(tokens)
    known = line_breaks()
    breaks = {
        name: sorted(token for token in tokens if b"\n" in models[name].piece(token))
        if name in models
        else sorted(known[name])  # nothing was added
        for name, tokens in sorted(used.items())
    }
    LINE_BREAKS.write_text(json.dumps(breaks) + "\n", encoding="utf-8")


def _by_rule(tokenizers: dict[str, Model], there: set[tuple[Any, ...]]) -> Iterator[Honest]:
    for half, kind, seed, text in honest_texts():
        origin = {"kind": kind, "seed": seed}
        if _name(origin) not in there:
            yield _honest(half, origin, text, tokenizers)


def _of_this_repository(
    tokenizers: dict[str, Model], there: set[tuple[Any, ...]]
) -> Iterator[Honest]:
    for name in _FROM_FILES:
        if _name({"file": name}) not in there:
            text = (_ROOT / name).read_text(encoding="utf-8")
            yield _honest(_half(name), {"file": name}, text[:_CHARACTERS], tokenizers)
    for command in _FROM_COMMANDS:
        said = " ".join(command)
        if _name({"command": said}) not in there:
            done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
            yield _honest(_half(said), {"command": said}, done.stdout[:_CHARACTERS], tokenizers)


def _honest(half: Half, origin: dict[str, Any], text: str, by: dict[str, Model]) -> Honest:
    return Honest(half, origin, text, {n: m.vocabulary.encode_text(text) for n, m in by.items()})


def _half(text: str) -> Half:
    """By name, for good."""
    return "held-out" if hashlib.sha256(text.encode()).digest()[0] % 2 else "tuning"
