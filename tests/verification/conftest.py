"""A quantized model with its manifest, made once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from qwq_gguf.checkpoint import Checkpoint, open_checkpoint
from qwq_gguf.conversion import convert
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from qwq_gguf.verification.manifest import manifest_path
from qwq_gguf.verification.record import ShardDigests, make_manifest, write_manifest
from qwq_gguf.verification.running_digests import WriteFollower
from support.checkpoints import write_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    # llama, for the rows of Q and K that change places on the way
    folder = tmp_path_factory.mktemp("source") / "Tiny-1B"
    return open_checkpoint(write_checkpoint(folder, "llama", shards=2))


@pytest.fixture(scope="session")
def quantized(
    checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """The model by a recipe, with its manifest. Not to be changed."""
    folder = tmp_path_factory.mktemp("made")

    def make(name: str) -> Path:
        path = folder / f"{name}.gguf"
        if not path.exists():
            recipe = load_recipe(name)
            with ShardDigests(checkpoint) as shards, WriteFollower() as follower:
                run_plan(make_plan(convert(checkpoint), recipe), path, follow=follower)
                contents, source = follower.contents(), shards.record()
            manifest = make_manifest({path: contents}, source, recipe, {"pure": False})
            write_manifest(manifest, path)
        return path

    return make


@pytest.fixture
def made(quantized: Callable[[str], Path], tmp_path: Path) -> Path:
    """A Q4_K_M of one's own, to be changed at will."""
    original = quantized("Q4_K_M")
    path = tmp_path / "model.gguf"
    shutil.copy(original, path)
    shutil.copy(manifest_path(original), manifest_path(path))
    return path
