"""docs/thinking.md names every key of the governor, and every way in which a thought ends."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from qwq_gguf.chat.events import FinishReason, ThoughtEnded
from qwq_gguf.thinking import Governor

PAGE = (Path(__file__).parents[2] / "docs" / "thinking.md").read_text(encoding="utf-8")
ROWS = {
    row.split("|")[1].strip(" `"): row.split("|")[2].strip()
    for row in PAGE.splitlines()
    if row.startswith("| `")
}


@pytest.mark.parametrize("field", fields(Governor), ids=lambda field: field.name)
def test_every_key_is_there_with_its_default(field: object) -> None:
    name, default = field.name, field.default  # type: ignore[attr-defined]
    told = ROWS[name]
    if isinstance(default, bool):
        assert told == str(default).lower()
    elif default is None:
        assert told.startswith(("off", "none", "the sentence"))
    else:
        assert float(told) == default


def test_every_ending_is_there() -> None:
    covered = {str(reason) for reason in FinishReason}
    for ended in ThoughtEnded:
        assert f"`{ended}`" in PAGE or str(ended) in covered
    assert "`loop`" in PAGE
