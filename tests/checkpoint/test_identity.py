"""What tells a shard from any other: the Hub's word, else size, time and a sample."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest

from qwq_gguf.checkpoint.hub.settings import HubSettings
from qwq_gguf.checkpoint.hub.snapshot import HubFile, HubSnapshot
from qwq_gguf.checkpoint.identity import ABSENT, _moment, listed_sha256, shard_identity

SHA = "0123456789abcdef" * 4
NAME = "model.safetensors"


def snapshot(tmp_path: Path, *files: HubFile) -> HubSnapshot:
    return HubSnapshot(
        HubSettings("https://hub.test", tmp_path),
        "org/name",
        "main",
        "c" * 40,
        tmp_path / "models--org--name" / "snapshots" / ("c" * 40),
        {file.name: file for file in files},
    )


def test_a_file_of_a_folder_by_size_time_and_sample(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"12345")
    os.utime(path, ns=(0, 1_700_000_000_000_000_007))
    crc = zlib.crc32(b"12345" * 16)
    said = f"5 bytes, changed 2023-11-14 22:13:20.000000007, sample {crc:08x}"
    assert shard_identity(path) == said
    before = shard_identity(path)
    os.utime(path, ns=(0, 1_700_000_000_000_000_008))
    assert shard_identity(path) != before
    assert shard_identity(tmp_path / "none") == ABSENT


@pytest.mark.parametrize("seconds", [300_000_000_000, -70_000_000_000, 2**62, -(2**62)])
def test_a_time_that_no_calendar_has(seconds: int) -> None:
    """File systems keep any number; a folder out of an archive may have one."""
    said = {_moment(seconds * 10**9 + rest) for rest in (0, 7)}
    assert said == {f"at {seconds}.000000000 seconds", f"at {seconds}.000000007 seconds"}


@pytest.mark.parametrize("at", [0, 1 << 19, (1 << 20) - 1])
def test_other_content_of_the_same_size_and_time(tmp_path: Path, at: int) -> None:
    """As of an archive that gives all its files one time."""
    path = tmp_path / NAME
    found = set()
    for fill in (b"", bytes(1 << 16)):
        content = bytearray(b"x" * (1 << 20))
        content[at : at + len(fill)] = fill[: len(content) - at]
        path.write_bytes(content)
        os.utime(path, ns=(0, 0))
        found.add(shard_identity(path))
    assert len(found) == 2


@pytest.mark.parametrize(
    "file, identity",
    [
        (HubFile(NAME, 5, SHA), f"sha256 {SHA}"),
        (HubFile(NAME, 5, None, "b" * 40), f"git blob {'b' * 40}"),
        (HubFile(NAME, 5), f"commit {'c' * 40}"),
        (HubFile("another"), f"commit {'c' * 40}"),
    ],
)
def test_a_file_of_the_hub_by_its_list(tmp_path: Path, file: HubFile, identity: str) -> None:
    hub = snapshot(tmp_path, file)
    assert shard_identity(hub.folder / NAME, hub) == identity


def test_a_file_in_the_cache_by_the_name_of_its_content(tmp_path: Path) -> None:
    hub = snapshot(tmp_path)  # as offline: the cache knows names only
    hub.folder.mkdir(parents=True)
    blobs = hub.folder.parent.parent / "blobs"
    blobs.mkdir()
    (blobs / SHA).write_bytes(b"x")
    path = hub.folder / NAME
    path.symlink_to(blobs / SHA)
    assert listed_sha256(path) == SHA
    assert shard_identity(path) == shard_identity(path, hub) == f"sha256 {SHA}"


def test_a_name_like_a_digest_elsewhere_says_nothing(tmp_path: Path) -> None:
    (tmp_path / SHA).write_bytes(b"x")
    path = tmp_path / NAME
    path.symlink_to(tmp_path / SHA)
    assert listed_sha256(path) is None
    assert shard_identity(path).startswith("1 bytes, changed ")
