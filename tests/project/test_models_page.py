"""docs/models.md is what the table says, and each of its cells names a test that exists."""

from __future__ import annotations

import runpy
from collections.abc import Collection
from functools import cache
from pathlib import Path

import pytest

from qwq_gguf.conversion.architectures import ARCHITECTURES
from support.families import FAMILIES, PLAIN
from support.goldens import CASES, LOGITS, load_golden
from support.model_table import COLUMNS, ROWS, Row, page

ROOT = Path(__file__).resolve().parents[2]
MIXES = ROOT / "tests" / "quantization" / "test_oracle_experts.py"


@cache
def mixes() -> Collection[str]:
    """The models of real shapes."""
    found: Collection[str] = runpy.run_path(str(MIXES))["MODELS"]
    return found


def test_the_page_is_fresh() -> None:
    kept = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert page() == kept, "run scripts/render_models"


@pytest.mark.parametrize("test", COLUMNS.values())
def test_each_column_names_a_test(test: str) -> None:
    path, _, name = test.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.models)
def test_each_cell_names_a_case(row: Row) -> None:
    known: dict[str, Collection[str]] = {
        "converts": CASES,
        "plans": mixes(),
        "runs": LOGITS,
        "thoughts": FAMILIES,
        "tools": {name for name, family in (FAMILIES | PLAIN).items() if family.call},
        "exports": FAMILIES,
    }
    assert row.converts
    for column, cases in known.items():
        cell = getattr(row, column)
        assert not cell or cell in cases, column
    assert load_golden(row.converts)["metadata"][0]["value"] == row.architecture


def test_every_family_is_in_it() -> None:
    cells = {cell for row in ROWS for cell in (row.thoughts, row.tools)}
    assert {*FAMILIES, *PLAIN} <= cells
    calling = {name for name, family in (FAMILIES | PLAIN).items() if family.call}
    assert calling == {row.tools for row in ROWS} - {""}


def test_every_architecture_is_in_it() -> None:
    assert {row.architecture for row in ROWS} == {each.name for each in ARCHITECTURES}
