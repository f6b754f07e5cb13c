"""Experts that stay in main memory, as llama.cpp is told of them."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

from qwq_gguf.engine.llama import library
from qwq_gguf.engine.llama.experts import Behind
from qwq_gguf.engine.model import Model
from support.tiny_gguf import write_random


class _Override(ctypes.Structure):
    _fields_ = (("pattern", ctypes.c_char_p), ("buft", ctypes.c_void_p))


def test_the_list_names_the_experts_of_the_first_layers_and_ends() -> None:
    params = library.load().api.llama_model_default_params()
    behind = Behind(2)
    behind.apply(params)
    told = ctypes.cast(params.tensor_buft_overrides, ctypes.POINTER(_Override * 3)).contents
    patterns = [each.pattern for each in told]
    assert patterns[2] is None
    assert all(each.buft for each in told[:2])
    for number, pattern in enumerate(patterns[:2]):
        for name in ("up", "gate", "down", "gate_up"):
            assert re.search(pattern.decode(), f"blk.{number}.ffn_{name}_exps.weight")
        assert not re.search(pattern.decode(), f"blk.{number}.ffn_up.weight")
        assert not re.search(pattern.decode(), f"blk.1{number}.ffn_up_exps.weight")


def test_none_changes_nothing() -> None:
    params = library.load().api.llama_model_default_params()
    Behind(0).apply(params)
    assert not params.tensor_buft_overrides


def test_a_model_is_loaded_with_them(tmp_path: Path) -> None:
    with Model.load(write_random(tmp_path / "a.gguf"), threads=1, cpu_experts=2) as model:
        assert model.weights > 0
