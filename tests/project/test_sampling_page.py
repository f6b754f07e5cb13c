"""docs/sampling.md shows what was measured, of chains as they are."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from qwq_gguf.profiles import profile_names

ROOT = Path(__file__).resolve().parents[2]


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "measure_chains", ROOT / "scripts" / "lib" / "measure_chains.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = load_script()
PAGE: str = SCRIPT.PAGE.read_text(encoding="utf-8")
MEASURED: dict[str, Any] = json.loads(SCRIPT.MEASURED.read_text(encoding="utf-8"))
NAMES = [name for name, _ in SCRIPT.ROWS]


def test_the_table_is_what_was_measured() -> None:
    assert SCRIPT.with_table(PAGE, MEASURED) == PAGE


@pytest.mark.parametrize("name", NAMES)
def test_what_was_measured_is_what_the_profile_says(name: str) -> None:
    measured = MEASURED["chains"][name]
    assert measured["chain"] == SCRIPT.chain_of(SCRIPT.profile_of(name)), (
        "the profile has changed since: ./scripts/measure_chains"
    )
    assert measured["samples"] >= 300
    assert set(measured["skills"]) > {"multiply", "calculator"}


def test_every_chain_beside_the_figures_is_measured() -> None:
    own = {path.stem for path in SCRIPT.CHAINS.glob("*.toml")}
    assert own == {name for name in NAMES if name not in profile_names()}


def test_penalties_cost_what_the_default_profile_claims() -> None:
    """As qwq.toml says of its order."""

    def mean(name: str) -> float:
        tokens: float = MEASURED["chains"][name]["thinking_tokens"]["mean"]
        return tokens

    def right(name: str) -> int:
        count: int = MEASURED["chains"][name]["right"]
        return count

    for name in MEASURED["chains"]:
        if name.startswith(("presence", "repeat", "qwq")):
            assert right(name) <= right("qwen-reference"), name
    for last, first in (
        ("presence-2-last", "presence-2-first"),
        ("repeat-1.3-last", "repeat-1.3-first"),
    ):
        assert mean("qwen-reference") < mean(first)
        assert mean(last) < mean(first)
    assert abs(mean("qwq") - mean("qwen-reference")) < 0.05


def test_every_shipped_profile_is_explained() -> None:
    for name in profile_names():
        assert f"`{name}`" in PAGE


def test_the_pictures_are_there() -> None:
    pictures = re.findall(r"\]\((chains/[\w-]+\.svg)\)", PAGE)
    assert len(pictures) >= 3
    for picture in pictures:
        assert (ROOT / "docs" / picture).read_text(encoding="utf-8").rstrip().endswith("</svg>")
