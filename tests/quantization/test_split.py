"""A plan cut into files: where, and that the files are those of llama.cpp's gguf-split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.errors import PlanError
from qwq_gguf.gguf_file import encode_header, padded, read_splits
from qwq_gguf.gguf_file.header_slack import find_room, with_room
from qwq_gguf.metadata import u32
from qwq_gguf.quantization import load_recipe, make_plan
from qwq_gguf.quantization.planning.plan import Plan
from qwq_gguf.quantization.planning.split import SplitRule, cut, split_plan
from qwq_gguf.quantization.running.run import Target, run_plans
from support.gguf_split import split_bytes
from support.shapes import QWQ_32B, TINY_LLAMA, conversion, write_weights

NOWHERE = Path("weights.bin")


@pytest.mark.parametrize(
    ("sizes", "rule", "expected"),
    [
        ([3, 3, 3], SplitRule(max_bytes=6), [(0, 2), (2, 3)]),  # full to the byte
        ([3, 3, 3], SplitRule(max_bytes=5), [(0, 1), (1, 2), (2, 3)]),
        ([3, 3, 3], SplitRule(max_bytes=9), [(0, 3)]),
        ([1, 9, 1, 1], SplitRule(max_bytes=4), [(0, 1), (1, 2), (2, 4)]),  # alone
        ([9, 1, 1], SplitRule(max_bytes=4), [(0, 1), (1, 3)]),  # where gguf-split gives up
        ([1] * 5, SplitRule(max_tensors=2), [(0, 2), (2, 4), (4, 5)]),
        ([1] * 4, SplitRule(max_tensors=2), [(0, 2), (2, 4)]),
        ([3, 3], SplitRule(max_bytes=3, bare_first=True), [(0, 0), (0, 1), (1, 2)]),
        ([3, 3], SplitRule(bare_first=True), [(0, 0), (0, 2)]),
        ([3, 3], SplitRule(), [(0, 2)]),
    ],
)
def test_where_it_is_cut(
    sizes: list[int], rule: SplitRule, expected: list[tuple[int, int]]
) -> None:
    assert [(file.start, file.stop) for file in cut(sizes, rule)] == expected


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=40),
    st.integers(1, 200),
    st.booleans(),
)
def test_no_file_is_too_large_or_needlessly_small(
    sizes: list[int], limit: int, bare_first: bool
) -> None:
    files = cut(sizes, SplitRule(max_bytes=limit, bare_first=bare_first))
    if bare_first:
        assert not files.pop(0)
    assert [index for file in files for index in file] == list(range(len(sizes)))
    held = [sum(sizes[index] for index in file) for file in files]
    for file, size in zip(files, held, strict=True):
        assert size <= limit or len(file) == 1
    for size, after in zip(held, files[1:], strict=False):
        assert size + sizes[after.start] > limit


def test_a_limit_is_positive() -> None:
    with pytest.raises(ValueError, match="no limit"):
        SplitRule(max_bytes=0)


def plan_of(recipe: str = "Q4_K_M") -> Plan:
    return make_plan(conversion(QWQ_32B, NOWHERE), load_recipe(recipe))


def test_qwq_in_files_of_8_gb() -> None:
    whole = plan_of()
    plan = split_plan(whole, SplitRule(max_bytes=8 * 10**9))
    assert len(plan.parts) == 3
    assert plan.file_bytes == sum(part.file_bytes for part in plan.parts)
    assert plan.weights == whole.weights
    assert plan.bits_per_weight == whole.bits_per_weight
    assert [t.name for t in plan.tensors] == [t.name for t in whole.tensors]
    for part in plan.parts:
        offset = 0
        for tensor in part.tensors:
            assert tensor.offset == offset
            offset += padded(tensor.nbytes, 32)
        assert offset <= 8 * 10**9
        assert part.data_offset == len(encode_header(part.metadata, part.tensors))
        assert part.file_bytes == part.data_offset + offset


def test_the_parts_as_json() -> None:
    plan = split_plan(plan_of(), SplitRule(max_bytes=8 * 10**9, bare_first=True))
    said = plan.to_json()
    assert said["file_bytes"] == sum(part["file_bytes"] for part in said["parts"])
    assert [part["tensors"] for part in said["parts"]] == [
        sum(row["part"] == number for row in said["tensors"]) for number in range(4)
    ]
    assert said["parts"][0]["tensors"] == 0
    assert said["metadata"]["split.count"] == 4
    assert {"parts", "part"}.isdisjoint({*plan_of().to_json(), *plan_of().to_json()["tensors"][0]})


def test_what_fits_into_one_file_is_as_it_was() -> None:
    plan = plan_of()
    assert split_plan(plan, SplitRule(max_bytes=10**12)) is plan


def test_the_first_file_keeps_its_room() -> None:
    made = conversion(TINY_LLAMA, NOWHERE)
    plan = make_plan(made, load_recipe("Q8_0"))
    roomy = split_plan(replace(plan, metadata=with_room(plan.metadata)), SplitRule(max_tensors=9))
    room = find_room({entry.key: entry for entry in roomy.parts[0].metadata})
    assert room is not None
    assert "general.name" in {entry.key for entry in room.entries}


def test_split_keys_of_the_source_are_not_kept() -> None:
    plan = make_plan(conversion(TINY_LLAMA, NOWHERE), load_recipe("Q8_0"))
    stale = replace(plan, metadata=(*plan.metadata, u32("split.count", 9)))
    split = split_plan(stale, SplitRule(max_tensors=20))
    for part in split.parts:
        names = [entry.key for entry in part.metadata]
        assert len(names) == len(set(names))


def test_too_large_a_tensor_is_said() -> None:
    plan = split_plan(plan_of(), SplitRule(max_bytes=500 * 10**6))
    (warning,) = plan.warnings
    assert "1 tensor is larger than the limit of 500,000,000 bytes" in warning
    assert "output.weight has 638,668,800" in warning
    alone = [part for part in plan.parts if part.file_bytes > 510 * 10**6]
    assert [[tensor.name for tensor in part.tensors] for part in alone] == [["output.weight"]]


def test_too_many_files_are_refused() -> None:
    plan = plan_of()
    plan = replace(plan, tensors=plan.tensors * 2)
    with pytest.raises(PlanError, match="too many files"):
        split_plan(plan, SplitRule(max_tensors=1))


@pytest.mark.parametrize(
    ("recipe", "rule"),
    [
        ("Q4_K_M", SplitRule(max_bytes=200_000)),
        ("Q8_0", SplitRule(max_bytes=500_000, bare_first=True)),
        ("BF16", SplitRule(max_tensors=7)),
    ],
)
def test_the_files_are_those_of_gguf_split(recipe: str, rule: SplitRule, tmp_path: Path) -> None:
    made = conversion(TINY_LLAMA, tmp_path / "weights.bin")
    write_weights(made)
    whole = make_plan(made, load_recipe(recipe))
    split = split_plan(whole, rule)
    assert len(split.parts) > 2
    one, several = Target(whole, tmp_path / "m.gguf"), Target(split, tmp_path / "parts.gguf")
    run_plans([one, several], threads=2)
    theirs = split_bytes(
        one.path, [[tensor.name for tensor in part.tensors] for part in split.parts]
    )
    assert [path.read_bytes() for path in several.paths] == theirs
    assert [path.stat().st_size for path in several.paths] == [
        part.file_bytes for part in split.parts
    ]
    read = read_splits(several.paths[0])
    assert len(read.tensors) == len(whole.tensors)
    assert not several.path.exists()
