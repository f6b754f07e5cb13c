"""docs/evidence.md shows what was measured, of the cells that its tables have."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import measure_evidence
import pytest
from evidence.chains import FIRST, LAST
from evidence.markdown import page_with, rendered
from evidence.tables import TABLES, Subject, command, made_path

from qwq_gguf.evaluation.asking.governors import read_governors
from qwq_gguf.profiles import load_profile

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
FIGURES = sorted((ROOT / "docs" / "evidence").glob("*.json"))
SUBJECT = Subject("m", Path("m-Q4_K_M.gguf"), ("add", "wordproblems"), 100, 600, append=" So?")


def test_the_page_is_what_was_measured() -> None:
    measured: dict[str, list[Any]] = {name: [] for name in TABLES}
    for path in sorted(FIGURES, key=lambda path: ("QwQ-Demo" not in path.name, path)):
        measured[path.name.partition("-")[0]].append(json.loads(path.read_text("utf-8")))
    assert page_with(PAGE, measured) == PAGE, "./scripts/measure_evidence --page"


def test_the_demo_is_made_anew_and_a_real_models_files_stay(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A demo that lies there may be of weights that are no longer shipped."""
    made: list[list[str]] = []
    monkeypatch.setattr(measure_evidence, "ROOT", tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda words, **_: made.append(words))
    folder = measure_evidence.FOLDER
    demo = replace(SUBJECT, name="QwQ-Demo", file=folder / "QwQ-Demo-F16.gguf")
    real = replace(SUBJECT, recipes=("Q2_K",))
    for file in (demo.file, made_path(real, "Q2_K", folder)):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"earlier")
    measure_evidence.prepare(TABLES["min_p"], demo)
    assert len(made) == 1
    assert "--force" in made[0]
    measure_evidence.prepare(TABLES["quants"], real)
    assert len(made) == 1


@pytest.mark.parametrize("name", TABLES)
def test_every_cell_of_a_table_can_be_asked(name: str, tmp_path: Path) -> None:
    table = TABLES[name]
    for chain in table.own:
        path = tmp_path / f"{chain.name}.toml"
        path.write_text(chain.toml())
        profile = load_profile(path)
        assert (profile.name, profile.chain.order) == (chain.name, chain.order)
        settings = profile.chain.settings()
        assert all(settings[key] == value for key, value in chain.changes.items())
    words = command(table, SUBJECT, tmp_path, seed=3)
    profiles = words[words.index("--profile") + 1].split(",")
    for asked in profiles:
        shown = Path(asked) if Path(asked).is_absolute() else ROOT / asked
        load_profile(shown if shown.exists() else asked)
    governors = read_governors([words[words.index("--govern") + 1]])
    assert [wish.name for wish in governors] == list(table.governors)
    assert len(profiles) == len(set(profiles)) == len(table.profiles)


def test_penalties_stand_where_the_table_says() -> None:
    own = {chain.name: chain for chain in TABLES["penalties"].own}
    assert len(own) == 9
    assert own["repeat-1.3-first-64"].order == FIRST
    assert own["repeat-1.1-last-generation"].order == LAST
    assert own["repeat-1.1-last-generation"].changes["penalty_window"] == "generation"


def test_a_real_model_is_asked_step_by_step_and_made_smaller() -> None:
    subject = replace(SUBJECT, recipes=("Q4_K_M", "Q2_K"))
    words = command(TABLES["quants"], subject, Path("f"), seed=0)
    assert words[3:5] == ["m-Q4_K_M.gguf", "f/m-Q2_K.gguf"]
    assert words[words.index("--append") + 1] == " So?"
    assert words[-2:] == ["--out", "f/m-quants.jsonl"]


def test_a_row_has_figures_and_what_they_are_compared_with() -> None:
    def estimate(value: float) -> dict[str, float | None]:
        return {"value": value, "low": value - 0.5, "high": None}

    tokens = {"mean": estimate(64.25), "median": estimate(50), "p95": estimate(151)}
    cell = {
        "model": "m.gguf", "profile": "qwq", "governor": "off", "problems": 3, "samples": 3,
        "right": 2, "accuracy": estimate(0.6666), "thought_tokens": None, "reply_tokens": tokens,
        "loops": 1, "unanswered": 0, "tokens_per_right": None, "against_first": None,
    }  # fmt: skip
    apart = {"accuracy": estimate(-0.01), "reply_tokens": estimate(2.5)}
    run = {
        "suites": [{"name": "add", "questions": 3}], "samples": 1, "seed": 0, "parallel": 4,
        "machine": {"processor": "P", "processors": 2},
        "versions": {"llama_cpp_python": "0.3"}, "command": "qwq-gguf eval thinking m",
    }  # fmt: skip
    cells = [cell, cell | {"governor": "default", "against_first": apart}]
    text = rendered(TABLES["governor"], {"title": "m", "run": run, "cells": cells})
    first, second = text.splitlines()[4:6]
    assert first == (
        "| none | 2 of 3 | 66.7 % (16.7 to -) |  | - | 64.2 (63.8 to -) |  | 151 | 1 | 0 | - |"
    )
    assert "| -1.0 % (-51.0 to -) |" in second
    assert "| +2.5 (+2.0 to -) |" in second
    assert text.endswith("```sh\nqwq-gguf eval thinking m\n```")
