from __future__ import annotations

from pathlib import Path

import pytest

from qwq_gguf.errors import ModelError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.machine import KvShape, check_cache_fits
from support.tiny_gguf import write_random
from support.tiny_states import write_lfm2


def test_the_cache_of_qwq_is_a_quarter_of_a_megabyte_a_token(tmp_path: Path) -> None:
    # Only the header counts: 64 layers, 8 key-value heads of 128.
    keys = {
        "qwen2.block_count": 64,
        "qwen2.embedding_length": 5120,
        "qwen2.attention.head_count": 40,
        "qwen2.attention.head_count_kv": 8,
    }
    gguf = read_gguf(write_random(tmp_path / "qwq.gguf", keys=keys))
    shape = KvShape.of(gguf)
    assert shape is not None
    assert shape == KvShape(((1024, 1024),) * 64, (128, 128))
    assert shape.nbytes(1) == 262_144
    assert shape.nbytes(16384) == 4 << 30
    # q8_0: 34 bytes for 32 numbers, where f16 has 64.
    assert shape.nbytes(1, GgmlType.Q8_0, GgmlType.Q8_0) == 262_144 * 34 // 64
    assert shape.nbytes(1, GgmlType.F16, GgmlType.Q8_0) == 131_072 + 131_072 * 34 // 64
    check_cache_fits(gguf, 16384, available=5 << 30)
    with pytest.raises(ModelError, match="does not fit") as caught:
        check_cache_fits(gguf, 16384, available=3 << 30)
    assert caught.value.found == "4.0 GiB of KV cache"
    assert caught.value.hint is not None
    # A smaller cache of the same context fits.
    check_cache_fits(gguf, 16384, keys=GgmlType.Q8_0, values=GgmlType.Q8_0, available=3 << 30)
    fewer, _, smaller = caught.value.hint.partition(", ")
    assert smaller == "or -ctk q8_0 -ctv q8_0, which take about half"
    check_cache_fits(gguf, int(fewer.removeprefix("-c ")), available=3 << 30)
    # Not where that would not fit either.
    with pytest.raises(ModelError, match="does not fit") as caught:
        check_cache_fits(gguf, 16384, available=2 << 30)
    assert "q8_0" not in str(caught.value.hint)


def test_own_head_sizes_count(tmp_path: Path) -> None:
    keys = {"qwen2.attention.key_length": 48, "qwen2.attention.value_length": 16}
    gguf = read_gguf(write_random(tmp_path / "a.gguf", keys=keys))
    shape = KvShape.of(gguf)
    assert shape is not None
    assert shape.nbytes(10) == 2 * 2 * (48 + 16) * 2 * 10


def test_heads_have_to_fill_the_blocks_of_a_type(tmp_path: Path) -> None:
    gguf = read_gguf(write_random(tmp_path / "a.gguf"))  # heads of 16
    check_cache_fits(gguf, 16, keys=GgmlType.BF16, available=1 << 30)
    f16 = GgmlType.F16
    for keys, values in ((GgmlType.Q8_0, f16), (f16, GgmlType.Q4_0)):
        for on_card in (False, True):
            with pytest.raises(ModelError, match="cannot be kept in q") as caught:
                check_cache_fits(
                    gguf, 16, keys=keys, values=values, available=1 << 30, on_card=on_card
                )
            assert caught.value.found == "heads of 16 numbers"


def test_what_is_on_a_card_needs_no_main_memory(tmp_path: Path) -> None:
    gguf = read_gguf(write_random(tmp_path / "a.gguf"))
    check_cache_fits(gguf, 1 << 20, available=1, on_card=True)
    with pytest.raises(ModelError, match="does not fit"):
        check_cache_fits(gguf, 1 << 20, available=1)


def test_layers_without_attention_take_none(tmp_path: Path) -> None:
    gguf = read_gguf(write_lfm2(tmp_path / "lfm2.gguf"))
    assert KvShape.of(gguf) == KvShape(((0, 0), (32, 32), (0, 0)), (16, 16), state=2 * 4 * 64 * 2)
    # Qwen3-Next attends in each fourth layer.
    keys = {"qwen2.block_count": 48, "qwen2.full_attention_interval": 4}
    shape = KvShape.of(read_gguf(write_random(tmp_path / "next.gguf", keys=keys)))
    assert shape is not None
    assert shape.layers == 12
    odd = {"qwen2.attention.head_count_kv": [0, 0]}
    shape = KvShape.of(read_gguf(write_random(tmp_path / "none.gguf", keys=odd)))
    assert shape is not None
    assert shape.nbytes(10**6) == 0


def test_a_header_that_does_not_say_is_no_reason_to_refuse(tmp_path: Path) -> None:
    keys = {"qwen2.attention.head_count": None}
    gguf = read_gguf(write_random(tmp_path / "a.gguf", keys=keys))
    assert KvShape.of(gguf) is None
    check_cache_fits(gguf, 10**9, available=1)
