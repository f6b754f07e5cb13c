"""Type and file-type numbers, against the gguf package and libggml."""

from __future__ import annotations

import gguf
import pytest

from qwq_gguf.ggml_types import FileType, GgmlType
from qwq_gguf.quantization.kernels.ggml import load_ggml


@pytest.mark.parametrize("kind", list(GgmlType), ids=lambda kind: kind.name)
def test_numbers_and_block_layout_are_ggmls(kind: GgmlType) -> None:
    ggml = load_ggml().library
    assert ggml.ggml_type_name(kind).decode().upper() == kind.name
    assert (kind.block_size, kind.type_size) == (
        ggml.ggml_blck_size(kind),
        ggml.ggml_type_size(kind),
    )


def test_every_type_of_the_gguf_package_is_known() -> None:
    theirs = {kind.name: kind.value for kind in gguf.GGMLQuantizationType}
    assert theirs.items() <= {kind.name: kind.value for kind in GgmlType}.items()


def test_file_type_numbers_are_llama_cpps() -> None:
    theirs = {
        kind.name.removeprefix("MOSTLY_").removeprefix("ALL_"): kind.value
        for kind in gguf.LlamaFileType
    }
    assert {kind.name: kind.value for kind in FileType}.items() >= theirs.items()


def test_a_row_must_be_whole_blocks() -> None:
    assert GgmlType.Q4_K.row_bytes(512) == 288
    assert GgmlType.F32.row_bytes(0) == 0
    with pytest.raises(ValueError, match="896 weights"):
        GgmlType.Q4_K.row_bytes(896)
    with pytest.raises(ValueError, match="-256"):
        GgmlType.Q4_K.row_bytes(-256)
