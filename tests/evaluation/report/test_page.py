"""The page in a real browser: it fits a telephone, and asks nobody for anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwq_gguf.jobs.events import silent
from qwq_gguf.jobs.reporting import make_report
from support.results import quality_result, run_record, samples_file, write_result

pytest.importorskip("playwright")


def test_the_page_fits_and_asks_for_nothing(tmp_path: Path) -> None:
    from support.browser import browser

    long = ("Some-Model-" + "of-a-very-long-name-" * 4 + "Q4_K_M.gguf", "b.gguf")
    runs = [samples_file(tmp_path / "r.jsonl", run_record(long, command="x" * 900))]
    runs.append(write_result(tmp_path / "q.json", quality_result()))
    page_file = make_report(runs, tmp_path / "out", silent).files[0]
    with browser() as started:
        asked: list[str] = []
        complaints: list[str] = []
        for scheme, paper in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(22, 24, 29)")):
            context = started.new_context(
                viewport={"width": 360, "height": 740},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page = context.new_page()
            page.on("request", lambda request: asked.append(request.url))
            page.on("console", lambda said: complaints.append(said.text))
            page.goto(page_file.as_uri())
            for width in (360, 1100):
                page.set_viewport_size({"width": width, "height": 740})
                assert page.evaluate("document.documentElement.scrollWidth") == width
                shown = page.locator("svg:visible")
                assert shown.count() == 4
                edges = page.evaluate(
                    "[...document.querySelectorAll('svg text')].filter(t => t.checkVisibility())"
                    ".map(t => t.getBoundingClientRect().right)"
                )
                assert max(edges) <= width
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert ground == paper
            context.close()
    assert set(asked) == {page_file.as_uri()}
    assert not complaints
