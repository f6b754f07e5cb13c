"""What is said and shown of the page is there, and small."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MANUAL = (ROOT / "docs" / "page.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_pictures_are_there_and_small() -> None:
    shown = set(re.findall(r"docs/(page-[\w-]+\.png)", README))
    shown |= set(re.findall(r"\((page-[\w-]+\.png)\)", MANUAL))
    assert {"page-light-wide.png", "page-dark-wide.png", "page-dark-narrow.png"} == shown
    for name in shown:
        content = (ROOT / "docs" / name).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) < 80_000


def test_what_the_manual_names_is_there() -> None:
    for path in re.findall(r"\]\(\.\./([\w./]+)\)", MANUAL):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`(\w+\.js)`", MANUAL):
        assert (ROOT / "qwq_gguf" / "serve" / "page" / name).is_file(), name
