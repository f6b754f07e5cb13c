"""Quantizing what is quantized already: only when asked for, and said aloud."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qwq_gguf.checkpoint.values import TensorInfo
from qwq_gguf.conversion.values import Conversion, SourceTensor
from qwq_gguf.errors import UnsupportedError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization import Plan, load_recipe, make_plan
from qwq_gguf.quantization.planning.requantize import check_requantizing
from support.shapes import DEMO, conversion


def plan(kind: GgmlType, recipe: str, only: str = "weight") -> Plan:
    """A plan whose matrices named by `only` are stored as `kind`."""
    made: Conversion = conversion(DEMO, Path("model.gguf"))

    def stored(tensor: SourceTensor) -> SourceTensor:
        if len(tensor.shape) < 2 or only not in tensor.name:
            return tensor
        sources = tuple(
            replace(source, dtype=kind.name)
            for source in tensor.sources
            if isinstance(source, TensorInfo)
        )
        return replace(tensor, sources=sources, kept=kind)

    tensors = tuple(map(stored, made.tensors))
    return make_plan(replace(made, tensors=tensors), load_recipe(recipe))


@pytest.mark.parametrize("kind", [GgmlType.F32, GgmlType.F16, GgmlType.BF16])
@pytest.mark.parametrize("allowed", [True, False])
def test_exact_weights_are_taken(kind: GgmlType, allowed: bool) -> None:
    assert check_requantizing(plan(kind, "Q4_K_M"), allowed=allowed) is None


def test_quantized_weights_are_refused_by_their_type() -> None:
    with pytest.raises(UnsupportedError) as caught:
        check_requantizing(plan(GgmlType.Q8_0, "Q4_K_M"), allowed=False)
    assert caught.value.found == "44 x Q8_0"
    assert caught.value.path == "model.gguf"
    assert caught.value.hint is not None
    assert "--allow-requantize" in caught.value.hint
    assert "quality" in caught.value.hint


def test_what_is_allowed_is_warned_of() -> None:
    warning = check_requantizing(plan(GgmlType.Q5_0, "Q8_0"), allowed=True)
    assert warning is not None
    assert "44 x Q5_0" in warning
    assert "worse" in warning


def test_what_keeps_its_type_is_copied_and_nothing_said() -> None:
    assert check_requantizing(plan(GgmlType.Q8_0, "Q8_0"), allowed=False) is None


def test_one_tensor_is_enough() -> None:
    with pytest.raises(UnsupportedError, match="1 x Q8_0"):
        check_requantizing(plan(GgmlType.Q8_0, "Q4_K_M", "token_embd"), allowed=False)


@pytest.mark.parametrize("kind", [GgmlType.I32, GgmlType.F64])
@pytest.mark.parametrize("allowed", [True, False])
def test_what_holds_no_weights_is_refused(kind: GgmlType, allowed: bool) -> None:
    with pytest.raises(UnsupportedError, match=rf"(?s)blk\.0\.attn_q\.weight.*Q4_K.*{kind.name}"):
        check_requantizing(plan(kind, "Q4_K_S", "blk.0.attn_q"), allowed=allowed)
