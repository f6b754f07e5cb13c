"""The manifest follows `set`, and whatever interrupts that is said and mended."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.editing import write_entries
from qwq_gguf.errors import OutputError
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.quantization import load_recipe
from qwq_gguf.verification import check, record
from qwq_gguf.verification.check import verify
from qwq_gguf.verification.contents import read_contents
from qwq_gguf.verification.manifest import SourceRecord, manifest_path
from qwq_gguf.verification.record import make_manifest, write_manifest
from support.killed import killed_at_each_step
from support.tiny_gguf import write_random

runner = CliRunner()
NAME = "general.name"


def set_(*arguments: object) -> Result:
    return runner.invoke(app, ["set", *map(str, arguments)])


def give_manifest(path: Path) -> Path:
    contents = {path: read_contents(read_gguf(path))}
    source = SourceRecord("tiny", None, ())
    write_manifest(make_manifest(contents, source, load_recipe("F32"), {"pure": False}), path)
    return path


def manifest(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(manifest_path(path).read_text(encoding="utf-8"))
    return value


def write_stranger(folder: Path) -> Path:
    return give_manifest(write_random(folder / "model.gguf"))


def write_own(folder: Path) -> Path:
    path = write_stranger(folder)
    file = read_gguf(path)
    write_entries(file, tuple(file.metadata.values()))
    return give_manifest(path)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A file with room in its header, and its manifest."""
    return write_own(tmp_path)


@pytest.mark.parametrize("change", [["--profile", "qwq"], ["--kv", f"{NAME}=Other"], ["--yarn", 2]])
@pytest.mark.parametrize("write", [write_own, write_stranger])
def test_what_was_good_stays_good(
    write: Callable[[Path], Path], change: list[object], tmp_path: Path
) -> None:
    path = write(tmp_path)
    for times in (1, 2):
        done = set_(path, *change, "--kv", f"general.version=str:{times}")
        assert done.exit_code == 0, done.output
        assert "manifest.json: follows" in done.stderr
        report = verify(path)
        assert report.findings == ()
        assert "pending" not in manifest(path)
        assert len(manifest(path)["options"]["set"]) == times


@pytest.fixture(scope="module", params=[write_own, write_stranger])
def killed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """Which kind, and a folder for each moment. Not to be changed."""
    if sys.platform == "win32":
        pytest.skip("forks")
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("killed")
    path = request.param(source)
    words = ["set", path.name, "--kv", f"{NAME}=New", "--profile", "qwq"]
    killed_at_each_step(source, folder, words)
    return request.param.__name__, folder


@pytest.fixture
def moments(killed: tuple[str, Path], tmp_path: Path) -> list[Path]:
    """The file as each of the kills left it."""
    shutil.copytree(killed[1], tmp_path / "moments")
    return [folder / "model.gguf" for folder in sorted((tmp_path / "moments").iterdir())]


def test_a_kill_at_any_moment_is_explained_and_mended(
    killed: tuple[str, Path], moments: list[Path]
) -> None:
    states = []
    for path in moments:
        new = read_gguf(path).text(NAME) == "New"
        assert read_gguf(path).text("qwq_gguf.profile") == ("qwq" if new else None)
        report = verify(path)
        told = {(found.level, found.where): found.what for found in report.findings}
        assert {where for _, where in told} <= {"header"}
        what = next(iter(told.values()), "")
        if "interrupted at its work" in what:
            assert not report.ok
            assert ("those from after it" in what) is new
        elif what:
            assert report.ok
            assert ("changed the keys" in what) is new
        # Nothing to say: the manifest was not touched yet, or all was done.
        states.append((new, what[:35]))
        mended = set_(path, "--kv", "general.version=str:2")
        assert mended.exit_code == 0, mended.output
        assert ("in order again after an interrupted change" in mended.stderr) is bool(what)
        assert verify(path).findings == ()
        assert len(manifest(path)["options"]["set"]) == 1 + new
        left = [other.name for other in path.parent.iterdir() if other.name.endswith(".partial")]
        assert left == []
    # Each state comes in its turn, and none comes back.
    order = [state for state, following in pairwise([*states, (None, "")]) if state != following]
    assert len(order) == len(set(order)) == (6 if killed[0] == "write_own" else 4)
    assert (order[0], order[-1]) == ((False, ""), (True, ""))


def test_the_same_change_again_mends_too(moments: list[Path]) -> None:
    for path in moments:
        before = manifest(path)
        interrupted = "pending" in before
        new = read_gguf(path).text(NAME) == "New"
        looked = set_(path, "--kv", f"{NAME}=New", "--profile", "qwq", "--dry-run")
        assert looked.exit_code == 0
        assert manifest(path) == before, "a dry run changes nothing"
        done = set_(path, "--kv", f"{NAME}=New", "--profile", "qwq")
        assert done.exit_code == 0, done.output
        assert ("says all of this already" in done.stderr) is new
        assert ("in order again" in done.stderr) is interrupted
        assert verify(path).findings == ()
        assert len(manifest(path)["options"]["set"]) == 1


@pytest.mark.parametrize(
    "where, word",
    [
        ("data", "its weights are not"),
        ("header", "its keys were not"),
        ("end", "its padding is not"),
    ],
)
def test_it_vouches_for_no_other_change(own: Path, where: str, word: str) -> None:
    file = read_gguf(own)
    raw = bytearray(own.read_bytes())
    if where == "header":
        raw[raw.index(b"general.name") + 24] ^= 1
    elif where == "data":
        raw[file.data_offset] ^= 1
    else:
        raw += bytes(32)
    own.write_bytes(raw)
    before = manifest(own)
    done = set_(own, "--kv", "general.version=str:2")
    assert done.exit_code == 0, done.output
    assert word in done.stderr
    assert manifest(own) == before
    assert not verify(own).ok


def test_a_pending_change_of_another_file(own: Path, tmp_path: Path) -> None:
    # Somebody put another file in the place of the one whose change was interrupted.
    value = manifest(own)
    digest = {"bytes": 9, "sha256": "0" * 64}
    value["pending"] = {"file": digest, "header": digest, "set": {"yarn": 2}}
    value["header"] = digest
    manifest_path(own).write_text(json.dumps(value), encoding="utf-8")
    report = verify(own)
    assert [found.level for found in report.findings] == ["remark", "difference"]
    assert "neither the old nor the new" in report.findings[0].what
    done = set_(own, "--kv", "general.version=str:2")
    assert done.exit_code == 0, done.output
    assert "its keys were not those of its manifest" in done.stderr
    assert manifest(own) == value


def test_a_damaged_manifest_stays_as_it_is(own: Path) -> None:
    for text in ("{", json.dumps({**manifest(own), "pending": {"file": 3}})):
        manifest_path(own).write_text(text, encoding="utf-8")
        done = set_(own, "--kv", f"general.version=str:{len(text)}")
        assert done.exit_code == 0, done.output
        assert "its manifest is damaged and stays so" in done.stderr
        assert manifest_path(own).read_text(encoding="utf-8") == text


def test_a_manifest_that_cannot_be_written_keeps_the_change_from_being_made(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Path:
        raise OutputError("cannot be written: no space", path=manifest_path(own))

    before = own.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(record, "write_manifest", refuse)
        done = set_(own, "--kv", "general.version=str:2")
    assert done.exit_code == 1
    assert "cannot be written: no space" in done.stderr
    assert own.read_bytes() == before
    assert verify(own).findings == ()


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_manifest_that_cannot_be_read_keeps_the_change_from_being_made(
    at: int, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the disk fails at the first look or at a later one: what it says is not known."""
    calls = [0]
    real = check.read_manifest

    def failing(path: Path) -> Any:
        calls[0] += 1
        if calls[0] == at:
            with monkeypatch.context() as patch:
                patch.setattr(Path, "open", _input_output_error)
                patch.setattr(os, "open", _input_output_error)
                return real(path)
        return real(path)

    before = own.read_bytes(), manifest(own)
    with monkeypatch.context() as patch:
        patch.setattr(check, "read_manifest", failing)
        done = set_(own, "--kv", "general.version=str:2")
    if calls[0] < at:
        assert at == 3, "it is looked at when `set` begins, and when it writes"
        return
    assert done.exit_code == 1, done.output
    assert "cannot be read: Input/output error" in done.stderr
    assert (own.read_bytes(), manifest(own)) == before
    assert verify(own).findings == ()


def _input_output_error(*_: object, **__: object) -> Any:
    raise OSError(errno.EIO, "Input/output error")
