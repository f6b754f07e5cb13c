"""docs/security.md names tests that there are, and has counts of every class."""

from __future__ import annotations

import re
from pathlib import Path

from soak_inputs import class_names

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_what_is_promised_names_tests_that_there_are() -> None:
    named = set(re.findall(r"tests/[\w/]+\.py", PAGE))
    assert len(named) > 10
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []


def test_every_class_has_its_counts() -> None:
    rows = re.findall(r"^\| ([\w-]+) \| ([\d,]+) \|(.+)\|$", PAGE, re.MULTILINE)
    counts = {name: int(tried.replace(",", "")) for name, tried, _ in rows}
    assert set(counts) >= set(class_names())
    assert min(counts.values()) >= 1000
