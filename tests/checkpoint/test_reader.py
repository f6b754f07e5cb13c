"""Slices of tensors."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.checkpoint import ShardReader, TensorInfo
from qwq_gguf.checkpoint.safetensors import read_header
from qwq_gguf.errors import ShardError
from support.checkpoints import safetensors_bytes

VALUES = np.arange(10_000, dtype=np.uint16)


@pytest.fixture
def info(tmp_path: Path) -> TensorInfo:
    path = tmp_path / "model.safetensors"
    path.write_bytes(
        safetensors_bytes({"before": ("F32", np.ones(7, np.float32)), "a": ("BF16", VALUES)})
    )
    return read_header(path)["a"]


def test_whole_tensors_and_slices(info: TensorInfo) -> None:
    with ShardReader() as reader:
        assert reader.read(info) == VALUES.tobytes()
        assert reader.read(info, 200, 50) == VALUES.tobytes()[200:250]
        assert reader.read(info, 19_990) == VALUES.tobytes()[19_990:]
        assert reader.read(info, info.nbytes, 0) == b""


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (0, 20_001), (20_000, 1), (5, -1)])
def test_a_range_outside_the_tensor(info: TensorInfo, first: int, count: int) -> None:
    with ShardReader() as reader, pytest.raises(ValueError, match="not all in it"):
        reader.read(info, first, count)


def test_many_threads_share_one_file(info: TensorInfo) -> None:
    expected = VALUES.tobytes()
    with ShardReader() as reader, ThreadPoolExecutor(8) as pool:
        starts = [step * 37 % 19_000 for step in range(500)]
        slices = pool.map(lambda start: reader.read(info, start, 1000), starts)
        assert all(
            part == expected[start : start + 1000]
            for start, part in zip(starts, slices, strict=True)
        )


def test_a_shard_that_shrank(info: TensorInfo) -> None:
    with ShardReader() as reader:
        reader.read(info, 0, 2)
        os.truncate(info.shard, info.start + 100)
        assert reader.read(info, 0, 100) == VALUES.tobytes()[:100]
        with pytest.raises(ShardError, match="become shorter"):
            reader.read(info, 0, 102)


def test_a_shard_that_is_gone(info: TensorInfo) -> None:
    info.shard.unlink()
    with ShardReader() as reader, pytest.raises(ShardError, match="cannot be opened"):
        reader.read(info)


def test_a_closed_reader(info: TensorInfo) -> None:
    reader = ShardReader()
    reader.read(info)
    reader.close()
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.read(info)
