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
from qwq_gguf.checkpoint.hub_settings import hub_settings
from qwq_gguf.checkpoint.hub_snapshot import HubFile, HubSnapshot
from qwq_gguf.errors import GgufError, ShardError
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.quantize import load_recipe
from qwq_gguf.verify.contents import read_contents
from qwq_gguf.verify.manifest import manifest_path, parse_manifest
from qwq_gguf.verify.record import ShardDigests, make_manifest, write_manifest


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


def test_the_hub_s_own_digests_cost_no_reading(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """The shards are not even there."""
    infos = {
        name: replace(info, shard=tmp_path / info.shard.name)
        for name, info in checkpoint.tensors.items()
    }
    names = [shard.name for shard in checkpoint.shards]
    files = {name: HubFile(name, 7, sha256(name.encode())) for name in names}
    snapshot = HubSnapshot(hub_settings(None), "org/Tiny-1B", "main", "c" * 40, tmp_path, files)
    on_hub = replace(checkpoint, tensors=infos, hub=snapshot)
    with ShardDigests(on_hub) as shards:
        source = shards.record()
        assert shards.ready
    assert (source.name, source.commit) == ("org/Tiny-1B", "c" * 40)
    assert [(shard.sha256, shard.known_from) for shard in source.shards] == [
        (sha256(name.encode()), "hub") for name in names
    ]


def test_a_cached_shard_is_named_by_its_digest(checkpoint: Checkpoint, tmp_path: Path) -> None:
    repository = tmp_path / "models--org--Tiny-1B"
    folder, blobs = repository / "snapshots" / ("d" * 40), repository / "blobs"
    folder.mkdir(parents=True)
    blobs.mkdir()
    infos = {}
    for name, info in checkpoint.tensors.items():
        shard = folder / info.shard.name
        if not shard.exists():
            (blobs / sha256(shard.name.encode())).write_bytes(b"not what its name says")
            shard.symlink_to(blobs / sha256(shard.name.encode()))
        infos[name] = replace(info, shard=shard)
    with ShardDigests(replace(checkpoint, folder=folder, tensors=infos)) as shards:
        source = shards.record()
    assert (source.name, source.commit) == ("org/Tiny-1B", "d" * 40)
    assert {(shard.sha256, shard.known_from) for shard in source.shards} == {
        (sha256(shard.name.encode()), "hub") for shard in checkpoint.shards
    }


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
