from __future__ import annotations

from pathlib import Path

import pytest

from qwq_gguf.engine.model import Model
from qwq_gguf.engine.room import cache_bytes, check_room
from qwq_gguf.errors import ModelError
from qwq_gguf.gguf_file import read_gguf
from support.tiny_gguf import write_random


def test_the_cache_of_qwq_is_a_quarter_of_a_megabyte_a_token(tmp_path: Path) -> None:
    # Only the header counts: 64 layers, 8 key-value heads of 128.
    keys = {
        "qwen2.block_count": 64,
        "qwen2.embedding_length": 5120,
        "qwen2.attention.head_count": 40,
        "qwen2.attention.head_count_kv": 8,
    }
    gguf = read_gguf(write_random(tmp_path / "qwq.gguf", keys=keys))
    assert cache_bytes(gguf, 1) == 262_144
    assert cache_bytes(gguf, 16384) == 4 << 30
    check_room(gguf, 16384, available=5 << 30)
    with pytest.raises(ModelError, match="does not fit") as caught:
        check_room(gguf, 16384, available=3 << 30)
    assert caught.value.found == "4.0 GiB of KV cache"
    assert caught.value.hint is not None
    fits = int(caught.value.hint.removeprefix("-c "))
    check_room(gguf, fits, available=3 << 30)


def test_own_head_sizes_count(tmp_path: Path) -> None:
    keys = {"qwen2.attention.key_length": 48, "qwen2.attention.value_length": 16}
    gguf = read_gguf(write_random(tmp_path / "a.gguf", keys=keys))
    assert cache_bytes(gguf, 10) == 2 * 2 * (48 + 16) * 2 * 10


def test_a_header_that_does_not_say_is_no_reason_to_refuse(tmp_path: Path) -> None:
    keys = {"qwen2.attention.head_count": None}
    gguf = read_gguf(write_random(tmp_path / "a.gguf", keys=keys))
    assert cache_bytes(gguf, 10) is None
    check_room(gguf, 10**9, available=1)


def test_an_absurd_context_is_refused_before_memory_is_asked_for(random_gguf: Path) -> None:
    with pytest.raises(ModelError, match="does not fit"):
        Model.load(random_gguf, context=2**31 - 1)
