"""docs/cli.md is what the program's help pages say."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date() -> None:
    fresh = runpy.run_path(str(ROOT / "scripts" / "render_cli"))["document"]()
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == fresh, "run scripts/render_cli"
