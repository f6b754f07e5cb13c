"""What llama.cpp's own converter wrote for the same checkpoints; see tests/golden/make.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.checkpoint import ShardReader, open_checkpoint
from qwq_gguf.convert import Conversion, convert
from support.goldens import CASES, describe_key, describe_tensor, load_golden
from support.weights import converter_bytes, file_type_of


@pytest.fixture(scope="module", params=list(CASES))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    name: str = request.param
    conversion = convert(open_checkpoint(CASES[name](tmp_path_factory.mktemp("golden"))))
    return conversion, load_golden(name)


def test_every_key_and_its_order(case: tuple[Conversion, dict[str, Any]]) -> None:
    conversion, golden = case
    ours = [
        describe_key(
            entry.key,
            entry.type.name,
            None if entry.element is None else entry.element.name,
            entry.value,
        )
        for entry in conversion.converter_metadata(file_type_of(conversion))
    ]
    assert ours == golden["metadata"]


def test_every_tensor_and_its_order(case: tuple[Conversion, dict[str, Any]]) -> None:
    conversion, golden = case
    ours = []
    with ShardReader() as reader:
        for tensor in conversion.converter_order:
            kind, data = converter_bytes(tensor, reader)
            ours.append(describe_tensor(tensor.name, tensor.shape, kind, data))
    assert ours == golden["tensors"]


def test_tensors_are_sorted_as_llama_quantize_writes_them(
    case: tuple[Conversion, dict[str, Any]],
) -> None:
    conversion, _ = case
    names = [tensor.name for tensor in conversion.tensors]
    assert sorted(names) == sorted(tensor.name for tensor in conversion.converter_order)
    outer = [name for name in names if not name.startswith("blk.")]
    assert names[: len(outer)] == sorted(outer)
    layers = [tensor.layer for tensor in conversion.tensors[len(outer) :]]
    assert layers == sorted(layers, key=lambda layer: -1 if layer is None else layer)


def test_a_record_depends_on_every_byte(tmp_path: Path) -> None:
    """The comparison can fail: another seed gives other digests."""
    first = describe_tensor("a", (2,), "F32", b"\0" * 8)
    second = describe_tensor("a", (2,), "F32", b"\0" * 7 + b"\1")
    assert first != second
