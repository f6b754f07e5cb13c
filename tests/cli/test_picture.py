"""The picture in the README: a recording of the program, whole and self-contained."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "chat.svg"


def _lines() -> list[str]:
    rows: dict[float, list[tuple[float, str]]] = {}
    for element in ElementTree.parse(PICTURE).iter("{http://www.w3.org/2000/svg}text"):
        if "textLength" in element.attrib:  # the title has none
            place = float(element.attrib["y"]), float(element.attrib["x"])
            rows.setdefault(place[0], []).append((place[1], element.text or ""))
    lines = ["".join(text for _, text in sorted(row)) for _, row in sorted(rows.items())]
    return [line.replace("\xa0", " ").rstrip() for line in lines]


def test_it_fetches_nothing() -> None:
    assert not re.findall(r"url\(['\"]?https?:|<image|<script|@import", PICTURE.read_text())


def test_it_shows_the_program_as_it_is() -> None:
    lines = _lines()
    assert lines[0] == "$ qwq-gguf chat QwQ-Demo-Q4_K_M.gguf"
    assert ">>> What is 7*43?" in lines
    assert "7*43 = 301" in lines
    assert any(line.endswith("= 122112726") for line in lines)
    stats = re.compile(r"thought \d+ tokens, answered \d+ · [\d.]+ tok/s · context \d+ % of 4,096")
    assert sum(stats.fullmatch(line) is not None for line in lines) == 3
