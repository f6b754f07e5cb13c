"""Which rows stand for a tensor, and which types it may get."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwq_gguf.checkpoint.values import TensorInfo
from qwq_gguf.conversion.values import SourceTensor
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization.fitting.candidates import candidates, sample_of
from qwq_gguf.quantization.fitting.weighing import factor_of


def tensor(name: str, *shape: int, dtype: str = "BF16") -> SourceTensor:
    nbytes = 2
    for length in shape:
        nbytes *= length
    info = TensorInfo(name, dtype, tuple(reversed(shape)), Path("x"), 0, nbytes)
    return SourceTensor(name, shape, (info,))


@pytest.mark.parametrize(
    "shape", [(256, 7), (256, 5000), (4096, 100_000), (8192, 9), (512, 96, 128), (512, 3, 2000)]
)
def test_a_sample_is_bounded_spread_and_of_whole_matrices(shape: tuple[int, ...]) -> None:
    whole = tensor("blk.0.ffn_up.weight", *shape)
    sample = sample_of(whole, most=1 << 15)
    assert sample == sample_of(whole, most=1 << 15)
    assert sample.weights <= max(1 << 15, 8 * shape[0]) or sample.whole
    stop = 0
    for first, count in sample.runs:
        assert count > 0
        assert first >= stop  # in order, none twice
        stop = first + count
        assert first // shape[1] == (stop - 1) // shape[1]  # of one matrix
    assert sample.runs[0][0] == 0
    assert stop == whole.rows


def test_types_by_rows_and_importance() -> None:
    square = tensor("blk.0.ffn_up.weight", 512, 512)
    bare = candidates(square, weighted=False)
    assert bare[0] is GgmlType.BF16  # as it is stored
    assert GgmlType.Q2_K in bare
    assert GgmlType.IQ2_XS not in bare
    assert GgmlType.IQ2_XS in candidates(square, weighted=True)
    odd = candidates(tensor("blk.0.ffn_up.weight", 96, 512), weighted=True)
    assert set(odd) > {GgmlType.Q4_0, GgmlType.Q8_0}
    assert all(kind.fits(96) for kind in odd)


def test_what_is_never_quantized_has_no_choice() -> None:
    assert candidates(tensor("blk.0.attn_norm.weight", 512), weighted=False) == ()
    assert candidates(tensor("blk.0.ffn_gate_inp.weight", 512, 8), weighted=False) == ()


def test_an_embedding_that_is_the_output_counts_as_one() -> None:
    output = factor_of("output.weight", tied=False)
    assert factor_of("token_embd.weight", tied=True) == output
    assert factor_of("token_embd.weight", tied=False) < output
    assert factor_of("blk.3.ffn_up_exps.weight", tied=True) == 1
