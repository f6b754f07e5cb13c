"""A model in several files: one manifest beside the first, and every file is checked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.checkpoint import Checkpoint
from qwq_gguf.conversion import convert
from qwq_gguf.errors import GgufError
from qwq_gguf.gguf_file import read_gguf, read_splits
from qwq_gguf.gguf_file.splits import part_path
from qwq_gguf.quantization import load_recipe, make_plan
from qwq_gguf.quantization.planning.split import SplitRule, split_plan
from qwq_gguf.quantization.running.run import Target, run_plans
from qwq_gguf.verification.check import verify
from qwq_gguf.verification.contents import read_contents
from qwq_gguf.verification.findings import Findings
from qwq_gguf.verification.manifest import manifest_path, parse_manifest
from qwq_gguf.verification.record import ShardDigests, make_manifest, write_manifest
from qwq_gguf.verification.running_digests import WriteFollower


@pytest.fixture(scope="module")
def original(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first file of a model in several, the very first without tensors."""
    recipe = load_recipe("Q4_K_M")
    whole = make_plan(convert(checkpoint), recipe)
    plan = split_plan(whole, SplitRule(max_bytes=300_000, bare_first=True))
    path = tmp_path_factory.mktemp("split") / "m.gguf"
    with ShardDigests(checkpoint) as shards, ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(2))
        followers = tuple(stack.enter_context(WriteFollower(pool)) for _ in plan.parts)
        target = Target(plan, path, followers)
        run_plans([target], threads=2)
        contents = {
            file: follower.contents()
            for file, follower in zip(target.paths, followers, strict=True)
        }
        manifest = make_manifest(contents, shards.record(), recipe, {})
    assert list(contents.values()) == [read_contents(read_gguf(file)) for file in target.paths]
    write_manifest(manifest, target.paths[0])
    return target.paths[0]


@pytest.fixture
def first(original: Path, tmp_path: Path) -> Path:
    """The same, to be changed at will."""
    for path in original.parent.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path / original.name


def wheres(report: Findings) -> list[str]:
    return [f"{found.check}: {found.where}" for found in report.differences]


def test_as_it_was_made(first: Path) -> None:
    report = verify(first)
    assert report.ok, report.differences
    parts = len(read_splits(first).parts)
    assert report.checks["manifest"]["files"] == parts > 3
    assert len(report.sha256) == parts


def test_one_manifest_for_all_files(first: Path) -> None:
    said = json.loads(manifest_path(first).read_text(encoding="utf-8"))
    assert [found.name for found in first.parent.glob("*.json")] == [f"{first.stem}.manifest.json"]
    assert {"file", "header"}.isdisjoint(said)
    assert [file["name"] for file in said["files"]] == sorted(
        found.name for found in first.parent.glob("*.gguf")
    )
    assert said["files"][0]["tensors"] == 0
    assert sum(file["tensors"] for file in said["files"]) == len(said["tensors"])
    text = manifest_path(first).read_text(encoding="utf-8")
    assert parse_manifest(text, first).text() == text


def test_other_names_for_all_files(first: Path) -> None:
    count = len(read_splits(first).parts)
    for number in range(count):
        part_path(first, number, count).rename(
            part_path(first.with_name("other.gguf"), number, count)
        )
    moved = part_path(first.with_name("other.gguf"), 0, count)
    manifest_path(first).rename(manifest_path(moved))
    report = verify(moved)
    assert report.ok
    assert "manifest" in report.checks


def test_a_flipped_bit_in_a_later_file(first: Path) -> None:
    part = read_splits(first).parts[2]
    tensor = next(t for t in part.tensors if len(t.shape) > 1)
    content = bytearray(part.path.read_bytes())
    content[tensor.offset + 20] ^= 1
    part.path.write_bytes(content)
    assert wheres(verify(first)) == [f"manifest: {tensor.name}"]


def test_a_changed_header_of_a_later_file(first: Path) -> None:
    part = read_splits(first).parts[1]
    content = bytearray(part.path.read_bytes())
    at = content.index(b"split.tensors.count") + len(b"split.tensors.count") + 4
    content[at] ^= 1
    part.path.write_bytes(content)
    assert wheres(verify(first)) == [f"manifest: header of {part.path.name}"]


def test_a_missing_file_is_named(first: Path) -> None:
    gone = read_splits(first).parts[1].path
    gone.unlink()
    assert wheres(verify(first)) == [f"structure: {gone.name}"]


def test_a_file_of_another_split_is_named(first: Path, original: Path) -> None:
    parts = read_splits(first).parts
    parts[1].path.unlink()
    shutil.copy(parts[2].path, parts[1].path)
    assert wheres(verify(first)) == [f"structure: {parts[1].path.name}"]


def test_the_source_makes_every_file_again(first: Path, checkpoint: Checkpoint) -> None:
    report = verify(first, source=convert(checkpoint), everything=True)
    assert report.ok, report.differences
    assert report.checks["source"]["bytes"] == report.checks["source"]["of"]


def test_the_same_model_in_one_file(first: Path, quantized: Callable[[str], Path]) -> None:
    assert verify(first, against=quantized("Q4_K_M")).ok
    assert verify(quantized("Q4_K_M"), against=first).ok


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: value["files"].pop(),
        lambda value: value.update(files=value["files"][:1]),
        lambda value: value.update(files=[]),
        lambda value: value.update(files="abc"),
        lambda value: value.update(files=[3, 4]),
        lambda value: value["files"][1].update(tensors=-1),
        lambda value: value["files"][1].update(tensors=99),
        lambda value: value["files"][1].pop("header"),
    ],
)
def test_a_damaged_manifest(first: Path, damage: Callable[[Any], object]) -> None:
    path = manifest_path(first)
    value = json.loads(path.read_text(encoding="utf-8"))
    damage(value)
    with pytest.raises(GgufError, match="manifest"):
        parse_manifest(json.dumps(value), path)
