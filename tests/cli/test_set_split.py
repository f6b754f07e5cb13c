"""`qwq-gguf set` on a model in several files, ours and others'."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.engine.model import Model
from qwq_gguf.gguf_file import read_gguf, read_splits
from qwq_gguf.gguf_file.header_slack import find_room
from qwq_gguf.quantization import load_recipe
from qwq_gguf.verification.check import verify
from qwq_gguf.verification.contents import read_contents
from qwq_gguf.verification.manifest import SourceRecord, manifest_path
from qwq_gguf.verification.record import make_manifest, write_manifest
from support.chat_templates import QWQ
from support.split_files import cut
from support.tiny_gguf import write_random

runner = CliRunner()


def set_(*arguments: object) -> Result:
    return runner.invoke(app, ["set", *map(str, arguments)])


@pytest.fixture(params=[False, True], ids=["all-with-tensors", "bare-first"])
def parts(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, ...]:
    """A model cut elsewhere, with no room in its header, and a manifest of ours."""
    made = cut(write_random(tmp_path / "model.gguf"), 3, bare_first=request.param)
    contents = {path: read_contents(read_gguf(path)) for path in made}
    source = SourceRecord("tiny", None, ())
    write_manifest(make_manifest(contents, source, load_recipe("F32"), {}), made[0])
    assert verify(made[0]).findings == ()
    return made


def test_everything_that_can_be_set(parts: tuple[Path, ...], tmp_path: Path) -> None:
    first, *others = parts
    before = [path.read_bytes() for path in others]
    weights = [(t.name, t.type, t.shape) for _, t in read_splits(first).tensors]
    template = tmp_path / "t.jinja"
    template.write_text(QWQ, encoding="utf-8")
    changes = ("--profile", "qwq", "--chat-template", template, "--yarn", "2")
    done = set_(first, *changes, "--kv", "general.name=Several")
    assert done.exit_code == 0, done.output
    assert "written anew" in done.stderr
    again = set_(first, "--profile", "qwen-llama-cpp", "--yarn", "1")
    assert "changed in place" in again.stderr
    longer = set_(first, "--kv", f"general.description=str:{'x' * 20_000}")
    assert "written anew" in longer.stderr
    for result in (done, again, longer):
        assert "manifest.json: follows" in result.stderr
    assert [path.read_bytes() for path in others] == before
    model = read_splits(first)
    assert [(t.name, t.type, t.shape) for _, t in model.tensors] == weights
    assert find_room(model.head.metadata) is not None
    assert verify(first).findings == ()
    assert len(json.loads(manifest_path(first).read_text(encoding="utf-8"))["files"]) == len(parts)
    with Model.load(first, threads=1, context=128) as loaded:
        assert loaded.chat_template == QWQ
        assert loaded.metadata["qwq_gguf.profile"].value == "qwen-llama-cpp"


def test_a_later_part_leads_to_the_first(parts: tuple[Path, ...]) -> None:
    before = parts[-1].read_bytes()
    refused = set_(parts[-1], "--profile", "qwq")
    assert refused.exit_code == 1
    assert f"qwq-gguf set {parts[0]}" in refused.stderr
    assert parts[-1].read_bytes() == before


def test_how_it_is_cut_cannot_be_set(parts: tuple[Path, ...]) -> None:
    before = parts[0].read_bytes()
    assert set_(parts[0], "--kv", "split.count=2").exit_code == 1
    assert parts[0].read_bytes() == before
