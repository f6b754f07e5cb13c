"""Every file of a checkpoint lies inside it, or in a Hub cache, and is a file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.errors import NotACheckpointError, SourceError
from support.checkpoints import write_checkpoint

SECRET = "HF_TOKEN=hf_secret\n"
SMALL = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "additional_chat_templates/tool_use.jinja",
    "README.md",
    "model.safetensors.index.json",
    "model.safetensors",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = write_checkpoint(tmp_path / "model")
    (folder / "additional_chat_templates").mkdir()
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "environ"
    path.write_text(SECRET)
    return path


@pytest.mark.parametrize("name", SMALL)
def test_a_link_that_leads_out(folder: Path, outside: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(outside)
    if name == "chat_template.json":  # looked at only where nothing else is
        (folder / "tokenizer_config.json").unlink()
    with pytest.raises(SourceError, match="leads out of the checkpoint") as raised:
        open_checkpoint(folder)
    assert raised.value.path == str(folder / name)
    assert "hf_secret" not in str(raised.value)


@pytest.mark.parametrize("name", SMALL)
def test_a_pipe_in_its_place(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    if name == "chat_template.json":
        (folder / "tokenizer_config.json").unlink()
    with pytest.raises(SourceError, match="a pipe, where a file is needed") as raised:
        open_checkpoint(folder)
    assert raised.value.path == str(folder / name)


def test_a_folder_of_templates_that_leads_out(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.jinja").write_text(SECRET)
    (folder / "additional_chat_templates").rmdir()
    (folder / "additional_chat_templates").symlink_to(elsewhere)
    with pytest.raises(SourceError, match="leads out of the checkpoint"):
        open_checkpoint(folder)


def test_a_link_through_a_link(folder: Path, outside: Path) -> None:
    (folder / "one").symlink_to(outside)
    (folder / "chat_template.jinja").symlink_to("one")
    with pytest.raises(SourceError, match="leads out of the checkpoint"):
        open_checkpoint(folder)


def test_a_link_to_nothing(folder: Path) -> None:
    (folder / "generation_config.json").symlink_to("gone")
    with pytest.raises(SourceError, match="leads to nothing"):
        open_checkpoint(folder)


def test_a_folder_that_is_a_link_is_fine(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "name").symlink_to(folder)
    assert open_checkpoint(tmp_path / "name").tensors
    (folder / "other.jinja").write_text("inside")
    (folder / "chat_template.jinja").symlink_to("other.jinja")
    assert open_checkpoint(tmp_path / "name").chat_template == "inside"


class TestHubCache:
    def cached(self, folder: Path, root: Path) -> tuple[Path, Path]:
        repository = root / "models--Qwen--QwQ-32B"
        snapshot = repository / "snapshots" / "0123456789abcdef0123456789abcdef01234567"
        snapshot.mkdir(parents=True)
        (repository / "blobs").mkdir()
        for number, path in enumerate(p for p in sorted(folder.iterdir()) if p.is_file()):
            shutil.copy(path, repository / "blobs" / f"{number:064x}")
            (snapshot / path.name).symlink_to(Path("../../blobs") / f"{number:064x}")
        return snapshot, repository / "blobs"

    def test_links_to_its_own_blobs(self, folder: Path, tmp_path: Path) -> None:
        snapshot, _ = self.cached(folder, tmp_path / "cache")
        assert open_checkpoint(snapshot).tensors.keys() == open_checkpoint(folder).tensors.keys()

    def test_a_blob_that_leads_out(self, folder: Path, tmp_path: Path, outside: Path) -> None:
        snapshot, blobs = self.cached(folder, tmp_path / "cache")
        blob = blobs / f"{99:064x}"
        blob.symlink_to(outside)
        (snapshot / "chat_template.jinja").symlink_to(Path("../../blobs") / blob.name)
        with pytest.raises(SourceError, match="leads out of the checkpoint"):
            open_checkpoint(snapshot)

    def test_a_local_dir_of_links_into_a_cache(self, folder: Path, tmp_path: Path) -> None:
        """What `huggingface-cli download --local-dir` used to make."""
        snapshot, blobs = self.cached(folder, tmp_path / "cache")
        local = tmp_path / "local"
        local.mkdir()
        for path in snapshot.iterdir():
            (local / path.name).symlink_to(path.resolve())
        assert open_checkpoint(local).tensors
        (blobs / "token").write_text(SECRET)
        (local / "chat_template.jinja").symlink_to(blobs / "token")
        with pytest.raises(SourceError, match="leads out of the checkpoint"):
            open_checkpoint(local)


def test_no_config_at_all(tmp_path: Path) -> None:
    with pytest.raises(NotACheckpointError, match=r"no config\.json"):
        open_checkpoint(tmp_path)
