"""What people name that is no checkpoint: the error says what it is, and what to do."""

from __future__ import annotations

import gzip
import json
import pickle
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from qwq_gguf.checkpoint import locate_gguf, open_checkpoint
from qwq_gguf.checkpoint.shards import INDEX_NAME
from qwq_gguf.errors import (
    NotACheckpointError,
    NotAGgufError,
    ShardError,
    SourceError,
    UnsupportedError,
)
from support.checkpoints import write_checkpoint, write_json
from support.hub import LoopbackHub

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    b"size 12345\n"
)
PAGE = b'<!DOCTYPE html>\n<html class="">\n<head>\n\t<meta charset="utf-8" />' + b" " * 5000
FOREIGN = {
    "pointer": (POINTER, "a pointer of git-lfs", "hf download ORG/NAME"),
    "page": (PAGE, "a web page", "/resolve/ in place of /blob/"),
    "indented page": (b"\xef\xbb\xbf\n  <html><body>Sign in</body></html>", "a web page", "hf"),
    "answer": (b'{"error":"Repository not found"}', "a server's answer", "hf auth login"),
    "plain answer": (b"Entry not found", "answer in place of the file: Entry not", "hf download"),
    "zip": (b"PK\x03\x04" + bytes(200), "a PyTorch pickle", "safetensors"),
    "pickle": (pickle.dumps({"a": 1}, 2) + bytes(100), "a PyTorch pickle", "save_pretrained"),
    "gguf": (b"GGUF\x03\0\0\0" + bytes(100), "a GGUF file", "mv "),
    "gzip": (gzip.compress(bytes(200)), "an archive (gzip)", "unpack"),
    "zeros": (bytes(5000), "nothing but zeros", "finish the download"),
    "keras": (b"\x89HDF\r\n\x1a\n" + bytes(100), "Keras", "safetensors"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_shard_that_is_something_else(tmp_path: Path, kind: str) -> None:
    content, what, cure = FOREIGN[kind]
    folder = write_checkpoint(tmp_path / "my model", shards=2)
    shard = folder / "model-00002-of-00002.safetensors"
    shard.write_bytes(content)
    with pytest.raises(ShardError) as raised:
        open_checkpoint(folder)
    assert raised.value.path == str(shard)
    assert what in raised.value.message
    assert cure in str(raised.value.hint)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", INDEX_NAME])
@pytest.mark.parametrize("kind", ["pointer", "page", "indented page", "plain answer", "gzip"])
def test_json_that_is_something_else(tmp_path: Path, name: str, kind: str) -> None:
    content, what, cure = FOREIGN[kind]
    folder = write_checkpoint(tmp_path / "model", shards=2)
    (folder / name).write_bytes(content)
    with pytest.raises(SourceError) as raised:
        open_checkpoint(folder)
    assert raised.value.path == str(folder / name)
    assert what in raised.value.message
    assert cure in str(raised.value.hint)


def test_a_clone_without_its_files(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "my model")
    (folder / ".git").mkdir()
    (folder / "model.safetensors").write_bytes(POINTER)
    with pytest.raises(ShardError, match="git-lfs") as raised:
        open_checkpoint(folder)
    assert f"git -C '{folder}' lfs pull" in str(raised.value.hint)


@pytest.mark.parametrize("kind", ["pointer", "page"])
def test_a_template_that_is_something_else(tmp_path: Path, kind: str) -> None:
    folder = write_checkpoint(tmp_path / "model")
    (folder / "chat_template.jinja").write_bytes(FOREIGN[kind][0])
    with pytest.raises(SourceError) as raised:
        open_checkpoint(folder)
    assert FOREIGN[kind][1] in raised.value.message


@pytest.mark.parametrize("with_config", [True, False])
def test_an_adapter_names_its_base(tmp_path: Path, *, with_config: bool) -> None:
    folder = write_checkpoint(tmp_path / "adapter")
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    write_json(folder / "adapter_config.json", {"base_model_name_or_path": "Qwen/Qwen3-0.6B"})
    if not with_config:
        (folder / "config.json").unlink()
    with pytest.raises(UnsupportedError, match="LoRA adapter") as raised:
        open_checkpoint(folder)
    assert raised.value.found == "an adapter of Qwen/Qwen3-0.6B"
    assert raised.value.hint == f"qwq-gguf quantize Qwen/Qwen3-0.6B --lora {folder}"


def test_what_training_left_beside_a_whole_model_is_no_matter(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "merged")
    write_json(folder / "adapter_config.json", {"base_model_name_or_path": "Qwen/Qwen3-0.6B"})
    assert open_checkpoint(folder).tensors


def test_a_folder_of_ggufs(tmp_path: Path) -> None:
    for name in ("mmproj-a.gguf", "b-Q2_K.gguf", "b-Q4_K_M.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
    with pytest.raises(NotACheckpointError, match="holds GGUF files") as raised:
        open_checkpoint(tmp_path)
    assert f"qwq-gguf chat {tmp_path}/b-Q4_K_M.gguf" in str(raised.value.hint)


def test_the_folder_above(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "models" / "my model")
    with pytest.raises(NotACheckpointError, match="a folder deeper") as raised:
        open_checkpoint(folder.parent)
    assert raised.value.hint == f"qwq-gguf quantize '{folder}'"


def test_the_folder_above_several(tmp_path: Path) -> None:
    for step in (500, 1000):
        write_checkpoint(tmp_path / "run" / f"checkpoint-{step}")
    with pytest.raises(NotACheckpointError, match="several checkpoints") as raised:
        open_checkpoint(tmp_path / "run")
    assert raised.value.found == "checkpoint-1000, checkpoint-500"


def test_a_repository_of_the_hub_cache(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    folder = write_checkpoint(tmp_path / "models--Qwen--QwQ-32B" / "snapshots" / commit)
    with pytest.raises(NotACheckpointError, match="a folder deeper") as raised:
        open_checkpoint(folder.parent.parent)
    assert raised.value.hint == f"qwq-gguf quantize {folder}"


def _crdownload(folder: Path) -> None:
    (folder / "model-00002-of-00002.safetensors").rename(
        folder / "model-00002-of-00002.safetensors.crdownload"
    )


def _local_dir(folder: Path) -> None:
    (folder / "model-00002-of-00002.safetensors").unlink()
    waiting = folder / ".cache/huggingface/download"
    waiting.mkdir(parents=True)
    (waiting / "model-00002-of-00002.safetensors.incomplete").touch()


def _aria2(folder: Path) -> None:
    """It makes the file in its full size first."""
    (folder / "model-00002-of-00002.safetensors.aria2").touch()


@pytest.mark.parametrize("leave", [_crdownload, _local_dir, _aria2])
@pytest.mark.parametrize("index", [True, False])
def test_a_download_that_goes_on(
    tmp_path: Path, leave: Callable[[Path], None], *, index: bool
) -> None:
    folder = write_checkpoint(tmp_path / "model", shards=2)
    leave(folder)
    if not index:
        (folder / INDEX_NAME).unlink()
    with pytest.raises(ShardError) as raised:
        open_checkpoint(folder)
    told = f"{raised.value.message} {raised.value.found}"
    assert "still to be finished" in told or "still being downloaded" in told
    assert "download" in str(raised.value.hint)


def test_nothing_but_a_download_that_goes_on(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "model.safetensors.part")
    with pytest.raises(ShardError, match="still being downloaded"):
        open_checkpoint(folder)


def test_the_form_of_the_maker(tmp_path: Path) -> None:
    (tmp_path / "consolidated.safetensors").touch()
    write_json(tmp_path / "params.json", {"dim": 4096})
    with pytest.raises(UnsupportedError, match="form of their maker"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("name", "word"),
    [("consolidated.00.pth", "pickles"), ("weights.ckpt", "pickles"), ("tf_model.h5", "framework")],
)
def test_other_formats(tmp_path: Path, name: str, word: str) -> None:
    folder = write_checkpoint(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(UnsupportedError, match=word):
        open_checkpoint(folder)


def test_weights_by_another_name(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "QwQ.safetensors")
    with pytest.raises(NotACheckpointError, match="has the name that weights have") as raised:
        open_checkpoint(folder)
    command = f"mv {folder}/QwQ.safetensors {folder}/model.safetensors"
    assert command in str(raised.value.hint)
    subprocess.run(shlex.split(command), check=True)
    assert open_checkpoint(folder).tensors


def test_weights_without_a_config(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    (folder / "config.json").unlink()
    with pytest.raises(NotACheckpointError, match=r"no config\.json") as raised:
        open_checkpoint(folder)
    assert "model.safetensors" in str(raised.value.found)
    assert "where the weights came from" in str(raised.value.hint)


class TestTiedHead:
    def folder(self, tmp_path: Path, *, tied: bool) -> Path:
        folder = write_checkpoint(tmp_path / "model", "qwen3", shards=2, tie_word_embeddings=True)
        index = json.loads((folder / INDEX_NAME).read_text())
        index["weight_map"]["lm_head.weight"] = "model-00002-of-00002.safetensors"
        write_json(folder / INDEX_NAME, index)
        config = json.loads((folder / "config.json").read_text())
        write_json(folder / "config.json", config | {"tie_word_embeddings": tied})
        return folder

    def test_an_index_may_name_it(self, tmp_path: Path) -> None:
        assert "lm_head.weight" not in open_checkpoint(self.folder(tmp_path, tied=True)).tensors

    def test_but_not_where_it_is_a_tensor_of_its_own(self, tmp_path: Path) -> None:
        with pytest.raises(ShardError, match="in no shard") as raised:
            open_checkpoint(self.folder(tmp_path, tied=False))
        assert "tie_word_embeddings" in str(raised.value.hint)

    def test_and_no_other_tensor_may_be_missing(self, tmp_path: Path) -> None:
        folder = self.folder(tmp_path, tied=True)
        index = json.loads((folder / INDEX_NAME).read_text())
        index["weight_map"]["model.ghost"] = "model-00002-of-00002.safetensors"
        write_json(folder / INDEX_NAME, index)
        with pytest.raises(ShardError, match="in no shard") as raised:
            open_checkpoint(folder)
        assert raised.value.found == "model.ghost"


class TestRepositories:
    """The same on the Hub, told by the names alone: nothing is downloaded."""

    @pytest.fixture
    def files(self, tmp_path: Path) -> dict[str, bytes | Path]:
        folder = write_checkpoint(tmp_path / "model")
        return {path.name: path for path in folder.iterdir()}

    def refused(self, hub: LoopbackHub, files: dict[str, bytes | Path]) -> SourceError:
        hub.add("org/Tiny", files)
        with pytest.raises(SourceError) as raised:
            open_checkpoint("org/Tiny")
        assert raised.value.path == "org/Tiny"
        return raised.value

    @pytest.mark.parametrize("with_config", [True, False])
    def test_an_adapter(
        self, hub: LoopbackHub, files: dict[str, bytes | Path], *, with_config: bool
    ) -> None:
        files["adapter_model.safetensors"] = files.pop("model.safetensors")
        files["adapter_config.json"] = b"{}"
        if not with_config:
            del files["config.json"]
        error = self.refused(hub, files)
        assert "LoRA adapter" in error.message
        assert error.hint == (
            "hf download org/Tiny --local-dir Tiny && qwq-gguf quantize BASE --lora Tiny, with the "
            "model that it was trained on for BASE"
        )

    def test_a_folder_deeper(self, hub: LoopbackHub, files: dict[str, bytes | Path]) -> None:
        error = self.refused(hub, {f"full/{name}": path for name, path in files.items()})
        assert "a folder deeper" in error.message
        assert error.hint == (
            "hf download org/Tiny --include 'full/*' --local-dir . && qwq-gguf quantize full"
        )

    def test_weights_by_another_name(
        self, hub: LoopbackHub, files: dict[str, bytes | Path]
    ) -> None:
        files["Tiny.safetensors"] = files.pop("model.safetensors")
        error = self.refused(hub, files)
        assert "mv Tiny/Tiny.safetensors Tiny/model.safetensors" in str(error.hint)

    def test_the_form_of_the_maker(self, hub: LoopbackHub) -> None:
        error = self.refused(hub, {"consolidated.safetensors": b"", "params.json": b"{}"})
        assert "form of their maker" in error.message

    def test_pieces(self, hub: LoopbackHub) -> None:
        names = [f"a.gguf.part{number}of2" for number in (1, 2)]
        error = self.refused(hub, dict.fromkeys(names, b"GGUF"))
        assert f"cat {' '.join(names)} > a.gguf, then name a.gguf" in str(error.hint)
        with pytest.raises(NotAGgufError, match="cut into pieces"):
            locate_gguf("org/Tiny")
