"""Calling libggml: its blocks are right, and a wrong library or array is refused."""

from __future__ import annotations

import sys
from ctypes.util import find_library
from pathlib import Path
from subprocess import run

import gguf
import numpy as np
import pytest

from qwq_gguf.errors import LibraryError, UnsupportedError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization.kernels import ggml as module
from qwq_gguf.quantization.kernels.ggml import Ggml, load_ggml
from qwq_gguf.quantization.recipes.recipe import TARGET_TYPES

WITHOUT_IMATRIX = [kind for kind in TARGET_TYPES if not load_ggml().requires_imatrix(kind)]


# Root mean square error against that of the weights, measured, with a tenth to spare.
MOST_ERROR = {
    "F32": 0,
    "F16": 0.00023,
    "BF16": 0.0019,
    "Q8_0": 0.0057,
    "Q6_K": 0.019,
    "Q5_K": 0.038,
    "Q5_1": 0.037,
    "Q5_0": 0.044,
    "Q4_K": 0.076,
    "MXFP4": 0.13,
    "Q4_1": 0.076,
    "Q4_0": 0.088,
    "Q3_K": 0.16,
    "Q2_K": 0.29,
    "IQ4_NL": 0.081,
    "IQ4_XS": 0.082,
    "IQ3_S": 0.15,
    "IQ3_XXS": 0.19,
    "IQ2_S": 0.27,
    "IQ2_XS": 0.33,
    "IQ2_XXS": 0.38,
    "IQ1_M": 0.5,
    "IQ1_S": 0.53,
    "TQ2_0": 0.9,
    "TQ1_0": 0.9,
}


def sample(rows: int = 3, length: int = 512) -> np.ndarray:
    return np.random.default_rng(7).normal(0, 0.05, (rows, length)).astype(np.float32)


@pytest.mark.parametrize("kind", TARGET_TYPES, ids=lambda kind: kind.name)
def test_blocks_decode_to_nearly_the_same_weights(kind: GgmlType) -> None:
    """By the gguf package's own decoders."""
    rows = sample()
    weights = np.ones(rows.shape[1], dtype=np.float32)
    blocks = load_ggml().quantize_rows(kind, rows, weights)
    assert blocks.shape == (3, kind.row_bytes(512))
    assert load_ggml().is_valid(kind, blocks)
    back = gguf.dequantize(blocks, gguf.GGMLQuantizationType(kind.value))
    error = np.sqrt(np.mean((back - rows) ** 2) / np.mean(rows**2))
    assert error <= MOST_ERROR[kind.name]


@pytest.mark.parametrize("kind", WITHOUT_IMATRIX, ids=lambda kind: kind.name)
def test_rows_do_not_depend_on_their_neighbours(kind: GgmlType) -> None:
    """So that any chunking and any number of threads gives the same bytes."""
    rows = sample()
    whole = load_ggml().quantize_rows(kind, rows)
    apart = [load_ggml().quantize_rows(kind, rows[i : i + 1]) for i in range(len(rows))]
    assert np.array_equal(whole, np.concatenate(apart))


def test_importance_weights_change_the_blocks() -> None:
    rows = sample()
    weights = np.linspace(0.01, 100, rows.shape[1], dtype=np.float32)
    plain = load_ggml().quantize_rows(GgmlType.Q4_K, rows)
    assert not np.array_equal(plain, load_ggml().quantize_rows(GgmlType.Q4_K, rows, weights))


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros(512, dtype=np.float32),
        np.zeros((2, 512), dtype=np.float64),
        np.zeros((512, 2), dtype=np.float32).T,
        np.zeros((2, 500), dtype=np.float32),
    ],
    ids=["flat", "double", "strided", "ragged"],
)
def test_an_array_ggml_would_misread_is_refused(rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"rows must be|multiple of"):
        load_ggml().quantize_rows(GgmlType.Q4_K, rows)


def test_importance_must_fit_the_row() -> None:
    with pytest.raises(ValueError, match="512 float32"):
        load_ggml().quantize_rows(GgmlType.Q4_K, sample(), np.ones(511, dtype=np.float32))
    with pytest.raises(ValueError, match="without importance"):
        load_ggml().quantize_rows(GgmlType.IQ2_XS, sample())


@pytest.mark.parametrize("value", [1e15, -3e38, float("nan"), float("inf")])
@pytest.mark.parametrize("kind", ["Q4_K", "IQ3_S", "IQ4_XS"])
def test_weights_that_make_ggml_abort_never_reach_it(kind: str, value: float) -> None:
    rows = sample()
    rows[1, 100] = value
    with pytest.raises(OverflowError, match=kind):
        load_ggml().quantize_rows(GgmlType[kind], rows)


def test_importance_must_be_finite() -> None:
    weights = np.ones(512, dtype=np.float32)
    weights[3] = np.inf
    with pytest.raises(ValueError, match="finite"):
        load_ggml().quantize_rows(GgmlType.Q4_K, sample(), weights)


def test_no_rows_make_no_blocks() -> None:
    assert load_ggml().quantize_rows(GgmlType.Q4_K, sample(0)).shape == (0, 288)


def test_broken_scales_are_noticed(capfd: pytest.CaptureFixture[str]) -> None:
    blocks = load_ggml().quantize_rows(GgmlType.Q4_K, sample())
    blocks[1, :2] = (0x00, 0x7E)  # a half-precision NaN
    assert not load_ggml().is_valid(GgmlType.Q4_K, blocks)
    assert "nan" in capfd.readouterr().err.lower()


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SUPPORTED_VERSION", (0, 24))
    with pytest.raises(LibraryError, match="another version") as caught:
        Ggml(load_ggml().path)
    assert "llama-cpp-python==" in str(caught.value)


def test_another_library_is_refused(tmp_path: Path) -> None:
    other = Path(find_library("m") or "libm.so.6")
    with pytest.raises(LibraryError, match="no ggml_version"):
        Ggml(other)
    (tmp_path / "x.so").write_text("not a library")
    with pytest.raises(LibraryError, match="cannot be loaded"):
        Ggml(tmp_path / "x.so")


def test_loading_it_does_not_import_llama_cpp() -> None:
    code = (
        "from qwq_gguf.quantization.kernels.ggml import load_ggml; load_ggml();"
        "import sys; sys.exit('llama_cpp' in sys.modules)"
    )
    assert run([sys.executable, "-c", code], check=False).returncode == 0


def test_only_whole_blocks_of_bytes_are_decoded() -> None:
    ggml = load_ggml()
    blocks = ggml.quantize_rows(GgmlType.Q8_0, sample())
    with pytest.raises(ValueError, match="contiguous"):
        ggml.decode_rows(GgmlType.Q8_0, blocks[:, ::2])
    with pytest.raises(ValueError, match="ends inside"):
        ggml.decode_rows(GgmlType.Q8_0, np.zeros((2, 35), dtype=np.uint8))
    assert ggml.decode_rows(GgmlType.Q8_0, blocks[:0]).shape == (0, 512)


def test_a_type_without_a_decoder() -> None:
    with pytest.raises(UnsupportedError, match="no decoder for Q8_1"):
        load_ggml().decode_rows(GgmlType.Q8_1, np.zeros((1, 36), dtype=np.uint8))


def test_a_library_whose_table_of_types_is_another_is_refused() -> None:
    class Shifted:
        """Answers with the entry of the next type."""

        @staticmethod
        def ggml_get_type_traits(kind: int) -> object:
            return load_ggml().library.ggml_get_type_traits(kind + 1)

    ggml = Ggml(load_ggml().path)
    ggml.library = Shifted()  # type: ignore[assignment]
    with pytest.raises(LibraryError, match="lays Q4_0 out differently"):
        ggml.decode_rows(GgmlType.Q4_0, np.zeros((1, 18), dtype=np.uint8))
