"""What a manifest says, and that it says the same every time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwq_gguf.checkpoint import Checkpoint
from qwq_gguf.checkpoint.hub.settings import hub_settings
from qwq_gguf.checkpoint.hub.snapshot import HubFile, HubSnapshot
from qwq_gguf.errors import GgufError, ShardError, WrongShardError
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.quantization import load_recipe
from qwq_gguf.verification.contents import read_contents
from qwq_gguf.verification.manifest import manifest_path, parse_manifest
from qwq_gguf.verification.record import ShardDigests, make_manifest, write_manifest


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_every_digest_is_that_of_the_bytes(made: Path, checkpoint: Checkpoint) -> None:
    said = json.loads(manifest_path(made).read_text(encoding="utf-8"))
    content, header = made.read_bytes(), read_gguf(made)
    assert said["schema"] == "qwq-gguf/manifest/1"
    assert (said["file"]["bytes"], said["file"]["sha256"]) == (len(content), sha256(content))
    assert said["header"]["sha256"] == sha256(content[: header.data_offset])
    assert [
        (row["name"], row["type"], row["shape"], row["bytes"], row["sha256"])
        for row in said["tensors"]
    ] == [
        (t.name, t.type.name, [*t.shape], t.nbytes, sha256(content[t.offset :][: t.nbytes]))
        for t in header.tensors
    ]
    assert said["source"]["name"] == "Tiny-1B"
    assert said["source"]["shards"] == [
        {
            "name": shard.name,
            "bytes": shard.stat().st_size,
            "sha256": sha256(shard.read_bytes()),
            "known_from": "computed",
        }
        for shard in checkpoint.shards
    ]
    assert said["recipe"] == {"name": "Q4_K_M", "text": load_recipe("Q4_K_M").text}
    assert said["versions"]["numpy"] == np.__version__
    assert {"qwq-gguf", "ggml", "llama-cpp-python"} < set(said["versions"])


def test_the_same_again_and_no_trace_of_where(made: Path, checkpoint: Checkpoint) -> None:
    recipe = load_recipe("Q4_K_M")
    with ShardDigests(checkpoint) as shards:
        source = shards.record()
    contents = read_contents(read_gguf(made))
    name = made.with_name("Q4_K_M.gguf")
    again = make_manifest({name: contents}, source, recipe, {"pure": False})
    assert again.text() == manifest_path(made).read_text(encoding="utf-8")
    assert str(made.parent) not in again.text()
    assert str(checkpoint.folder.parent) not in again.text()


def test_what_is_written_is_read_back(made: Path, checkpoint: Checkpoint) -> None:
    with ShardDigests(checkpoint) as shards:
        source = shards.record()
    contents, options = read_contents(read_gguf(made)), {"name": 'a"\n\x1b'}
    manifest = make_manifest({made: contents}, source, load_recipe("Q6_K"), options)
    path = write_manifest(manifest, made)
    assert parse_manifest(path.read_text(encoding="utf-8"), path) == manifest
    assert sorted(found.name for found in made.parent.iterdir()) == [path.name, made.name][::-1]


def on_hub(checkpoint: Checkpoint, *, right: bool, size: int | None = 7) -> Checkpoint:
    """As if its shards came from a Hub that lists their digests, or others."""
    files = {
        shard.name: HubFile(shard.name, size, sha256(shard.read_bytes() if right else b"another"))
        for shard in checkpoint.shards
    }
    snapshot = HubSnapshot(
        hub_settings(None), "org/Tiny-1B", "main", "c" * 40, checkpoint.folder, files
    )
    return replace(checkpoint, hub=snapshot)


def test_what_the_hub_lists_is_not_taken_for_it(checkpoint: Checkpoint) -> None:
    with ShardDigests(on_hub(checkpoint, right=True)) as shards:
        source = shards.record()
    assert (source.name, source.commit) == ("org/Tiny-1B", "c" * 40)
    assert [(shard.nbytes, shard.sha256, shard.known_from) for shard in source.shards] == [
        (path.stat().st_size, sha256(path.read_bytes()), "computed") for path in checkpoint.shards
    ]
    with (
        ShardDigests(on_hub(checkpoint, right=False)) as shards,
        pytest.raises(WrongShardError, match="not those that the Hub lists") as caught,
    ):
        shards.record()
    assert caught.value.path == str(checkpoint.shards[0])
    assert caught.value.expected == sha256(b"another")


def test_what_was_hashed_on_the_way_is_not_read_again(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    """The shards are not even there."""
    infos = {
        name: replace(info, shard=tmp_path / info.shard.name)
        for name, info in checkpoint.tensors.items()
    }
    digests = {path.name: sha256(path.read_bytes()) for path in checkpoint.shards}
    gone = replace(on_hub(checkpoint, right=True), tensors=infos)
    gone = replace(gone, hub=replace(gone.hub, folder=tmp_path))  # type: ignore[type-var]
    with ShardDigests(gone, passed=lambda path: (digests[path.name], 7)) as shards:
        source = shards.record()
        assert shards.ready
    assert {(shard.name, shard.sha256, shard.known_from) for shard in source.shards} == {
        (name, digest, "computed") for name, digest in digests.items()
    }
    with (
        ShardDigests(gone, passed=lambda path: (sha256(b"x"), 7)) as shards,
        pytest.raises(WrongShardError),
    ):
        shards.record()


def test_a_cached_shard_has_to_be_what_its_name_says(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    repository = tmp_path / "models--org--Tiny-1B"
    folder, blobs = repository / "snapshots" / ("d" * 40), repository / "blobs"
    folder.mkdir(parents=True)
    blobs.mkdir()
    infos = {}
    for name, info in checkpoint.tensors.items():
        shard = folder / info.shard.name
        if not shard.exists():
            content = info.shard.read_bytes()
            (blobs / sha256(content)).write_bytes(content)
            shard.symlink_to(blobs / sha256(content))
        infos[name] = replace(info, shard=shard)
    cached = replace(checkpoint, folder=folder, tensors=infos)
    with ShardDigests(cached) as shards:
        source = shards.record()
    assert (source.name, source.commit) == ("org/Tiny-1B", "d" * 40)
    assert {(shard.sha256, shard.known_from) for shard in source.shards} == {
        (shard.resolve().name, "computed") for shard in cached.shards
    }
    cached.shards[0].resolve().write_bytes(b"not what its name says")
    with ShardDigests(cached) as shards, pytest.raises(WrongShardError):
        shards.record()


def test_a_shard_that_cannot_be_read(checkpoint: Checkpoint, tmp_path: Path) -> None:
    infos = {
        name: replace(info, shard=tmp_path / info.shard.name)
        for name, info in checkpoint.tensors.items()
    }
    with (
        ShardDigests(replace(checkpoint, tensors=infos)) as shards,
        pytest.raises(ShardError, match="cannot be read"),
    ):
        shards.record()


def drop(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda value: value.pop(key)


@pytest.mark.parametrize(
    "damage",
    [
        drop("file"),
        drop("tensors"),
        lambda value: value["file"].update(sha256="xyz"),
        lambda value: value["file"].update(bytes=-1),
        lambda value: value["tensors"][0].update(shape="abc"),
        lambda value: value["tensors"].append(3),
        lambda value: value.update(versions=[1]),
        lambda value: value.update(source=None),
        lambda value: value.update(schema="qwq-gguf/manifest/99"),
    ],
)
def test_a_damaged_manifest_is_an_error(made: Path, damage: Callable[[Any], object]) -> None:
    path = manifest_path(made)
    value = json.loads(path.read_text(encoding="utf-8"))
    damage(value)
    with pytest.raises(GgufError, match="manifest"):
        parse_manifest(json.dumps(value), path)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '"x"', "[" * 100_000])
def test_no_manifest_at_all(text: str) -> None:
    with pytest.raises(GgufError, match="manifest"):
        parse_manifest(text, Path("model.manifest.json"))
