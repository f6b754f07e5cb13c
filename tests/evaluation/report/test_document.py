"""Results to Markdown and to a page: what is said, what is left out, and nobody's markup."""

from __future__ import annotations

import json
import re
import runpy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.evaluation.report.composing import compose
from qwq_gguf.evaluation.report.document import Document, Foreign, Section, Table, Text
from qwq_gguf.evaluation.report.figures_shown import labels_of
from qwq_gguf.evaluation.report.files_section import layer_lines
from qwq_gguf.evaluation.report.html import html_of, picture_file
from qwq_gguf.evaluation.report.markdown import markdown_of
from qwq_gguf.evaluation.report.reading import (
    read_errors,
    read_fitted,
    read_quality,
    read_thinking,
)
from qwq_gguf.evaluation.report.values import LayerErrors, MadeFile, Results
from qwq_gguf.jobs.reporting import read_results
from support.results import HOSTILE, quality_result, run_record, samples_file

GOLDEN = Path(__file__).parents[2] / "golden"
CODE = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)")


def test_a_small_report_as_markdown(tmp_path: Path) -> None:
    make = runpy.run_path(str(GOLDEN / "make_report.py"))["small_report"]
    assert make(tmp_path) == (GOLDEN / "report.md").read_text()


class Elements(HTMLParser):
    """What a browser would see: elements and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def hostile(tmp_path: Path) -> Results:
    record = run_record((HOSTILE, f"{HOSTILE}2"), append=HOSTILE, command=HOSTILE)
    record["suites"][0]["name"] = HOSTILE
    record["versions"] = {HOSTILE: HOSTILE}
    thinking = read_results([samples_file(tmp_path / "r.jsonl", record)]).thinking
    quality = quality_result(read={HOSTILE: HOSTILE, "text": HOSTILE})
    quality["quants"][0]["file"] = HOSTILE
    quality["run"] |= {"command": HOSTILE, "machine": {HOSTILE: HOSTILE}, "models": [HOSTILE]}
    quality["quants"][0]["closing"]["words"] = {HOSTILE: {"ratio": 1}}
    quality["quants"][0]["kinds"] = {HOSTILE: quality["quants"][0]["kinds"]["thought"]}
    errors = LayerErrors(HOSTILE, {"blk.0.x": {HOSTILE: 0.1}, "blk.1.x": {HOSTILE: 0.2}})
    made = MadeFile(HOSTILE, 9, 9, HOSTILE, HOSTILE, HOSTILE, {}, {"t": HOSTILE})
    return Results(thinking, (read_quality(quality, HOSTILE),), (made,), (errors,))


def test_what_strangers_wrote_is_never_markup(tmp_path: Path) -> None:
    document = compose(hostile(tmp_path))
    pages = [html_of(document), *map(picture_file, document.pictures)]
    for page in pages:
        for tag, attributes in Elements(page).found:
            assert tag not in ("script", "img", "iframe", "object", "foreignobject", "link")
            assert not [name for name in attributes if name.startswith("on")]
            assert (attributes.get("href") or "#").startswith("#")
        assert not set(page) & set("\x1b\u202e")
    text = markdown_of(document)
    assert not set(text) & set("\x1b\u202e")
    lines = (line for line in text.splitlines() if not line.startswith("    "))  # commands
    bare = [CODE.sub("", line) for line in lines]
    assert not [line for line in bare if "<script" in line or "](javascript" in line]


def test_a_bar_in_a_name_ends_no_cell() -> None:
    table = Table("t", ("a", "b"), [(Foreign("x\\|y`z"), "1")])
    rows = markdown_of(Document("d", (), (Section("s", (table,)),))).splitlines()
    assert rows[-1] == "| x&#92;&#124;y&#96;z | 1 |"


@pytest.mark.parametrize(
    ("name", "code"), [("a", "`a`"), ("a`b", "`` a`b ``"), ("``", "``` `` ```")]
)
def test_names_are_code_in_markdown(name: str, code: str) -> None:
    text = markdown_of(Document("d", (Text.of(Foreign(name)),), ()))
    assert text.splitlines()[2] == code


def test_the_page_allows_nothing_but_its_own_style(tmp_path: Path) -> None:
    page = html_of(compose(read_results([samples_file(tmp_path / "r.jsonl")])))
    elements = Elements(page).found
    policy = next(a["content"] for t, a in elements if a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert not [a for _, a in elements if "style" in a or "src" in a]
    drawn = [a for tag, a in elements if tag == "svg"]
    names = {a["id"] for _, a in elements if "id" in a}
    assert drawn
    for attributes in drawn:
        assert attributes["role"] == "img"
        assert set((attributes["aria-labelledby"] or "").split()) <= names
    assert len(names) == len([a for _, a in elements if "id" in a])


def test_what_is_missing_is_said_and_left_out() -> None:
    text = markdown_of(compose(Results(quality=(read_quality(quality_result(), "q.json"),))))
    assert "Right answers" not in text
    assert "Accuracy against thinking tokens: give" in text
    assert "p(closing tag): give" not in text


def test_results_of_releases_that_kept_no_record_are_named() -> None:
    raw = quality_result()
    with_record = markdown_of(compose(Results(quality=(read_quality(raw, "q.json"),))))
    assert "Run of `q.json`:" in with_record
    assert raw["run"]["command"] in with_record
    assert "| model | `m-Q2_K.gguf, 3.00 MiB, digest 3333333333333333` |" in with_record
    del raw["run"]
    without = markdown_of(compose(Results(quality=(read_quality(raw, "q.json"),))))
    assert "Of `q.json`: written by a release that recorded neither machine" in without


def test_a_divergence_of_zero_is_in_the_table_only() -> None:
    raw = quality_result()
    raw["quants"][0]["kl_divergence"]["mean"] = {"value": 0.0, "error": 0.0}
    text = markdown_of(compose(Results(quality=(read_quality(raw, "q.json"),))))
    assert "not in the picture are `m-Q8_0.gguf`" in text


def test_a_cell_that_two_files_have_counts_once_and_runs_are_compared(tmp_path: Path) -> None:
    one = samples_file(tmp_path / "one.jsonl")
    other = samples_file(tmp_path / "other.jsonl", run_record(("a.gguf", "c.gguf")))
    text = markdown_of(compose(read_results([one, other])))
    assert "Cells of `other.jsonl` that stand in a file before it are left out." in text
    assert text.count("## Right answers") == 1
    # c.gguf is in the other file, and is compared with the first cell of the first.
    assert "| 3 | `c.gguf` | \\#1 | 4 | 4 | \N{MINUS SIGN}25.0 % |" in text
    elsewhere = run_record(("a.gguf", "d.gguf"), append="!")
    third = samples_file(tmp_path / "third.jsonl", elsewhere)
    both = markdown_of(compose(read_results([one, third])))
    assert "tokens, 2" in both  # other questions, so a section of their own


def test_a_run_that_was_cut_short_says_so(tmp_path: Path) -> None:
    record = run_record(samples=3)
    text = markdown_of(compose(read_results([samples_file(tmp_path / "r.jsonl", record)])))
    assert "`r.jsonl` isn't finished: it lacks 16 of its replies." in text


@pytest.mark.parametrize("questions", [float("inf"), 10**400, None, [], "many"])
def test_a_record_that_counts_nonsense_promises_no_replies(
    tmp_path: Path, questions: object
) -> None:
    record = run_record()
    record["suites"][0]["questions"] = questions
    path = samples_file(tmp_path / "r.jsonl")
    lines = path.read_text().splitlines()[1:]
    path.write_text("\n".join([json.dumps(record), *lines, ""]))
    assert "isn't finished" not in markdown_of(compose(read_results([path])))


def test_layers_of_files_and_of_types() -> None:
    errors: dict[str, dict[str, float]] = {
        "blk.0.a": {"Q4_K": 0.01, "Q2_K": 0.1},
        "blk.0.b": {"Q4_K": 0.03, "Q2_K": 0.1},
        "blk.1.a": {"Q4_K": 0.02},
        "output": {"Q4_K": 9},
    }
    by_file = layer_lines(errors, {"m.gguf": {"blk.0.a": "Q2_K", "blk.0.b": "Q4_K"}})
    assert [line.name for line in by_file] == ["m.gguf"]
    ((layer, error),) = by_file[0].values  # of layer 1 it has no type
    assert layer == 0
    assert error == pytest.approx(0.065)
    by_type = {line.name: dict(line.values) for line in layer_lines(errors, {})}
    assert list(by_type) == ["Q4_K", "Q2_K"]
    assert by_type["Q4_K"] == pytest.approx({0: 0.02, 1: 0.02})
    assert by_type["Q2_K"] == pytest.approx({0: 0.1})


def test_a_fitted_recipe_stands_beside_the_shipped_ones() -> None:
    sized = {"file_bytes": 2 << 20, "bits_per_weight": 3.1, "error": 0.02}
    raw = {
        "source": "demo",
        "command": "qwq-gguf quantize demo -r f.toml",
        "recipe": {"name": "Fit-3.10"},
        "types": {"blk.0.a": "Q2_K"},
        "stock": [{"name": "Q2_K", **sized}],
        **sized,
    }
    text = markdown_of(compose(Results(fitted=(read_fitted(raw, "f.json"),))))
    assert "| `Fit-3.10` | 2.00 MiB | 3.10 | 0.02 |" in text
    assert "    qwq-gguf quantize demo -r f.toml" in text


def test_names_without_what_all_begin_with() -> None:
    assert labels_of(["QwQ-Q4_K_M.gguf", "QwQ-Q2_K.gguf"]) == ["Q4_K_M", "Q2_K"]
    assert labels_of(["a.gguf", "a.gguf"]) == ["a", "a"]
    assert labels_of(["one.gguf"]) == ["one"]


def _broken(path: str, value: Any) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads(json.dumps(quality_result()))
    *steps, last = path.split(".")
    place: Any = raw
    for step in steps:
        place = place[int(step)] if step.isdecimal() else place[step]
    place[last] = value
    return raw


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("quants.0.bytes", -1, "counts nothing"),
        ("quants.0.bytes", True, "no number"),
        ("quants.0.bytes", 10**400, "is 1000"),
        ("quants.0.kl_divergence.p50", float("nan"), "is nan"),
        ("quants.0.same_top.value", 1.5, "no share"),
        ("quants.1.file", 5, r"quants\[1\].file is no text"),
        ("quants", [{}] * 500, "500 rows"),
        ("reference", None, "reference is no object"),
    ],
)
def test_results_that_make_no_sense_are_refused(path: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_quality(_broken(path, value), "q.json")


def test_other_results_are_refused_as_well() -> None:
    with pytest.raises(ValueError, match="run is no object"):
        read_thinking({"cells": []}, "t.json")
    with pytest.raises(ValueError, match="below zero"):
        read_errors({"errors": {"t": {"Q4_K": -1}}}, "e.json")
    with pytest.raises(ValueError, match="more than 64 types"):
        read_errors({"errors": {"t": {str(n): 1 for n in range(65)}}}, "e.json")
