"""`qwq-gguf report`: files in, a folder out, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from support.results import quality_result, samples_file, write_result


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, words)])


def test_a_page_markdown_and_pictures_are_written(tmp_path: Path) -> None:
    replies = samples_file(tmp_path / "replies.jsonl")
    quality = write_result(tmp_path / "quality.json", quality_result())
    folder = tmp_path / "new" / "report"
    done = run(replies, quality, replies, "-o", folder, "--json")
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    assert made["schema"] == "qwq-gguf/report/1"
    assert sorted(map(Path, made["files"])) == sorted(folder.iterdir())
    text = (folder / "report.md").read_text()
    for picture in folder.glob("*.svg"):
        assert f"]({picture.name})" in text
        assert ElementTree.parse(picture).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert len(list(folder.glob("*.svg"))) == 4
    before = {path: path.read_bytes() for path in folder.iterdir()}
    again = run(replies, "-o", folder)
    assert again.exit_code == 1
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert run(replies, quality, "-o", folder, "--force").exit_code == 0
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_manifest_says_how_files_were_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["quantize", "demo", "-r", "Q8_0", "-o", "m.gguf", "--no-modelfile"]
    assert CliRunner().invoke(app, words).exit_code == 0
    errors = {"schema": "qwq-gguf/measured-errors/1", "made_of": "x"}
    values = {f"blk.{n}.attn_q.weight": {"Q8_0": 0.001 * (n + 1)} for n in range(3)}
    write_result(tmp_path / "errors.json", {**errors, "errors": values})
    assert run("m.manifest.json", "errors.json", "-o", "out").exit_code == 0
    text = (tmp_path / "out" / "report.md").read_text()
    assert "| `m.gguf` |" in text
    assert "| layer | `m.gguf` |" in text
    assert "| 2 | 0.003 |" in text


def test_what_is_no_result_is_refused_and_nothing_written(tmp_path: Path) -> None:
    damaged = quality_result()
    del damaged["quants"][0]["bytes"]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    other = write_result(tmp_path / "o.json", {"schema": "qwq-gguf/chat/1"})
    for path, said in (
        (write_result(tmp_path / "d.json", damaged), "quants[0].bytes is no number"),
        (pipe, "a pipe"),
        (text, "no schema"),
        (other, "qwq-gguf/chat/1"),
        (tmp_path / "none.json", "cannot be read"),
    ):
        done = run(path, "-o", tmp_path / "out")
        assert done.exit_code == 1, path
        assert said in done.output
        assert str(path.name) in done.output
    assert not (tmp_path / "out").exists()
