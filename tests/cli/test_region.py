"""The lines that are drawn again and again."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from qwq_gguf.cli.terminal.region import LiveRegion, rows


@pytest.mark.parametrize(
    ("cells", "width", "count"),
    [([], 80, 0), ([0], 80, 1), ([80], 80, 1), ([81], 80, 2), ([79, 0, 30], 20, 7), ([5], 0, 5)],
)
def test_rows(cells: list[int], width: int, count: int) -> None:
    assert rows(cells, width) == count


def test_a_drawing_takes_the_place_of_the_last() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=20, height=4)
    region = LiveRegion(console)
    region.draw([Text("one"), Text("x" * 50)])
    assert console.file.getvalue() == "\x1b[?25lone\n" + "x" * 19  # type: ignore[attr-defined]
    console.width = 10
    region.clear()
    assert console.file.getvalue().endswith("\r\x1b[2A\x1b[J\x1b[?25h")  # type: ignore[attr-defined]
    region.draw([Text(str(n)) for n in range(9)])
    assert console.file.getvalue().endswith("6\n7\n8")  # type: ignore[attr-defined]


def test_what_is_slow_to_draw_is_drawn_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("qwq_gguf.cli.terminal.region.time.monotonic", lambda: now[0])
    region = LiveRegion(Console(file=io.StringIO(), force_terminal=True))
    region.draw([Text("one")])
    now[0] += 0.07
    assert region.due
    region.draw([Text("two")], made_in=0.05)
    now[0] += 0.4
    assert not region.due
    now[0] += 0.2
    assert region.due
