"""Index and shards: they must agree, and stay inside the folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwq_gguf.checkpoint.shards import INDEX_NAME, read_shards
from qwq_gguf.errors import NotACheckpointError, ShardError, UnsupportedError
from support.checkpoints import safetensors_bytes, write_checkpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "model", shards=3)


def change_index(folder: Path, change: Callable[[dict[str, str]], object]) -> None:
    path = folder / INDEX_NAME
    index: dict[str, Any] = json.loads(path.read_text())
    change(index["weight_map"])
    path.write_text(json.dumps(index))


def test_three_shards_hold_what_one_does(tmp_path: Path, folder: Path) -> None:
    one = read_shards(write_checkpoint(tmp_path / "one"))
    three = read_shards(folder)
    assert {info.shard.name for info in three.values()} == {
        f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)
    }
    assert {name: info.shape for name, info in three.items()} == {
        name: info.shape for name, info in one.items()
    }


def test_without_an_index_all_shards_count(folder: Path) -> None:
    with_index = read_shards(folder)
    (folder / INDEX_NAME).unlink()
    assert read_shards(folder) == with_index


def test_a_missing_shard_is_named(folder: Path) -> None:
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(ShardError, match="missing") as raised:
        read_shards(folder)
    assert raised.value.expected == "model-00002-of-00003.safetensors"


def test_a_missing_shard_is_named_without_an_index(folder: Path) -> None:
    (folder / INDEX_NAME).unlink()
    (folder / "model-00003-of-00003.safetensors").unlink()
    with pytest.raises(ShardError, match="missing") as raised:
        read_shards(folder)
    assert raised.value.expected == "model-00003-of-00003.safetensors"


def test_a_billion_shards_are_not_counted(folder: Path) -> None:
    (folder / INDEX_NAME).unlink()
    first = folder / "model-00001-of-00003.safetensors"
    first.rename(folder / "model-00001-of-99999.safetensors")
    with pytest.raises(ShardError, match="absurd number"):
        read_shards(folder)


def test_more_tensors_than_any_model_has(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qwq_gguf.checkpoint.shards._MOST_TENSORS", len(read_shards(folder)))
    assert read_shards(folder)
    monkeypatch.setattr("qwq_gguf.checkpoint.shards._MOST_TENSORS", len(read_shards(folder)) - 1)
    with pytest.raises(ShardError, match="more tensors than any model"):
        read_shards(folder)


def test_an_extra_shard(folder: Path) -> None:
    shutil.copy(
        folder / "model-00001-of-00003.safetensors", folder / "model-00001-of-00002.safetensors"
    )
    with pytest.raises(ShardError, match="does not name") as raised:
        read_shards(folder)
    assert raised.value.found == "model-00001-of-00002.safetensors"


def test_weights_of_another_kind_beside_them_do_not_matter(folder: Path) -> None:
    (folder / "consolidated.safetensors").write_bytes(b"")
    (folder / "optimizer.bin").write_bytes(b"")
    assert read_shards(folder)


@pytest.mark.parametrize("content", [b"", b"\0" * 8])
def test_an_empty_shard(folder: Path, content: bytes) -> None:
    (folder / "model-00002-of-00003.safetensors").write_bytes(content)
    with pytest.raises(ShardError, match=r"is empty|nothing but zeros"):
        read_shards(folder)


def test_a_tensor_that_the_index_alone_has(folder: Path) -> None:
    change_index(folder, lambda names: names.update({"ghost": "model-00001-of-00003.safetensors"}))
    with pytest.raises(ShardError, match="in no shard") as raised:
        read_shards(folder)
    assert raised.value.found == "ghost"


def test_a_tensor_that_the_index_lacks(folder: Path) -> None:
    change_index(folder, lambda names: names.pop("model.norm.weight"))
    with pytest.raises(ShardError, match="does not name") as raised:
        read_shards(folder)
    assert raised.value.found == "model.norm.weight"


def test_a_tensor_in_two_shards(folder: Path) -> None:
    (folder / INDEX_NAME).unlink()
    tensor = {"model.norm.weight": ("BF16", np.zeros(256, np.uint16))}
    (folder / "model-extra.safetensors").write_bytes(safetensors_bytes(tensor))
    with pytest.raises(ShardError, match="is also in"):
        read_shards(folder)


LEAVING = [
    "../outside.safetensors",
    "sub/../../outside.safetensors",
    "/etc/passwd.safetensors",
    "..\\outside.safetensors",
    "C:\\outside.safetensors",
    "C:outside.safetensors",
    "",
    ".",
    "config.json",
    "a\0.safetensors",
]


@pytest.mark.parametrize("name", LEAVING)
def test_an_index_that_leads_out_of_the_folder(folder: Path, name: str) -> None:
    shutil.copy(folder / "model-00001-of-00003.safetensors", folder.parent / "outside.safetensors")
    change_index(folder, lambda names: names.update(dict.fromkeys(names, name)))
    with pytest.raises(ShardError, match="outside the checkpoint"):
        read_shards(folder)


def test_a_link_that_leads_out_of_the_folder(folder: Path) -> None:
    shard = folder / "model-00001-of-00003.safetensors"
    shard.rename(folder.parent / "outside.safetensors")
    shard.symlink_to(folder.parent / "outside.safetensors")
    with pytest.raises(ShardError, match="leads out of the checkpoint") as raised:
        read_shards(folder)
    assert f"rm {shard} && cp" in str(raised.value.hint)
    (folder / INDEX_NAME).unlink()
    with pytest.raises(ShardError, match="leads out of the checkpoint"):
        read_shards(folder)


def test_a_linked_folder_that_leads_out(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    shard = folder / "model-00001-of-00003.safetensors"
    shard.rename(elsewhere / shard.name)
    (folder / "sub").symlink_to(elsewhere, target_is_directory=True)
    change_index(
        folder,
        lambda names: names.update(
            {key: f"sub/{value}" for key, value in names.items() if value == shard.name}
        ),
    )
    with pytest.raises(ShardError, match="leads out of the checkpoint") as raised:
        read_shards(folder)
    assert "rm " not in str(raised.value.hint)  # that would take away the original


def test_the_links_of_the_hub_cache_are_followed(folder: Path, tmp_path: Path) -> None:
    snapshot = hub_cache(folder, tmp_path / "models--Qwen--QwQ-32B")
    assert len(read_shards(snapshot)) == len(read_shards(folder))


def hub_cache(folder: Path, repository: Path) -> Path:
    """The same checkpoint as huggingface_hub keeps it: links from a snapshot to blobs."""
    snapshot = repository / "snapshots" / "0123456789abcdef0123456789abcdef01234567"
    blobs = repository / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, path in enumerate(sorted(folder.iterdir())):
        shutil.copy(path, blobs / f"{number:064x}")
        (snapshot / path.name).symlink_to(Path("../../blobs") / f"{number:064x}")
    return snapshot


@pytest.mark.parametrize("index", ["[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": 1}}'])
def test_a_malformed_index(folder: Path, index: str) -> None:
    (folder / INDEX_NAME).write_text(index)
    with pytest.raises(ShardError):
        read_shards(folder)


def test_other_formats_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(NotACheckpointError, match="no weights"):
        read_shards(tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(UnsupportedError, match="LoRA"):
        read_shards(tmp_path)
    (tmp_path / "pytorch_model-00001-of-00002.bin").write_bytes(b"")
    with pytest.raises(UnsupportedError, match="pickles"):
        read_shards(tmp_path)
