"""Threads and chunks follow from the memory that a run may take."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.errors import MemoryLimitError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from qwq_gguf.quantization.running.budget import (
    DEFAULT_MEMORY,
    MOST_WEIGHTS,
    Need,
    Stages,
    arrange,
    limit_of,
    need_of,
)
from support.shapes import Shape, conversion, write_weights

MB = 1 << 20
GIB = 1 << 30
needs = st.builds(
    Need,
    working=st.floats(2, 40),
    waiting=st.floats(0.5, 8),
    least_weights=st.integers(1, 1 << 22),
)


def least_of(error: MemoryLimitError) -> int:
    """The bytes that a refusal calls possible."""
    return int(str(error.expected).removeprefix("at least ").removesuffix("M")) * MB


@given(needs, st.integers(1, 512), st.integers(0, 2 * GIB), st.integers(0, GIB))
def test_what_is_arranged_fits_and_what_is_refused_does_not(
    need: Need, workers: int, limit: int, base: int
) -> None:
    try:
        stages = arrange(limit, base, need, workers)
    except MemoryLimitError as error:
        least = least_of(error)
        assert least > limit
        stages = arrange(least, base, need, workers)  # as it says
        limit = least
    assert base + need.of(stages) <= limit
    assert 1 <= stages.workers <= workers
    assert stages.readers >= 1
    assert stages.places >= 1
    assert need.least_weights <= max(stages.chunk_weights, need.least_weights)
    assert stages.chunk_weights <= MOST_WEIGHTS


@pytest.mark.parametrize("workers", [1, 2, 8, 64, 256, 1024])
@pytest.mark.parametrize("row", [256, 29568, 152064])
def test_any_number_of_cores_fits_into_the_default(workers: int, row: int) -> None:
    """With the vocabulary of 152,064, twenty kernels to compile, and rows as float32."""
    stages = arrange(DEFAULT_MEMORY, 550 * MB, Need(4 + 4 + 2, 4, row), workers)
    assert stages.places >= 1
    if workers <= 16 or (workers <= 64 and row < 100_000):
        assert stages.workers == workers


def test_two_cores_have_chunks_as_large_as_pay() -> None:
    stages = arrange(DEFAULT_MEMORY, 300 * MB, Need(2.6, 2, 5120), 2)
    assert stages == Stages(1, 2, 6, MOST_WEIGHTS)


def test_less_memory_means_smaller_chunks_then_fewer_places_then_fewer_threads() -> None:
    need = Need(2.6, 2.0, 5120)
    found = [arrange(limit * MB, 0, need, 8) for limit in (600, 60, 16, 14, 8, 4, 3)]
    assert [stages.workers for stages in found] == sorted(
        (stages.workers for stages in found), reverse=True
    )
    sizes = [need.of(stages) for stages in found]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(found)) == len(found)
    assert found[-1] == Stages(1, 1, found[-1].places, found[-1].chunk_weights)


@pytest.mark.parametrize("base", [100, 700, 900, 5000])
def test_a_program_that_is_large_itself_can_quantize_when_no_limit_is_asked_for(base: int) -> None:
    need = Need(5, 4, 20_000_000)  # a row of 100 MB
    limit = limit_of(None, base * MB, need)
    assert limit >= DEFAULT_MEMORY
    assert need.of(arrange(limit, base * MB, need, 16)) + base * MB <= limit
    assert limit_of(300 * MB, base * MB, need) == 300 * MB


def needed(tmp_path: Path, shape: Shape, dtype: str, *recipes: str, wide: bool = False) -> Need:
    made = conversion(shape, tmp_path / "weights.bin", dtype)
    plans = [make_plan(made, load_recipe(name)) for name in recipes]
    return need_of(plans, lambda stored, kind: wide and stored is not GgmlType.F32)


def test_a_chunk_holds_what_is_stored_and_the_blocks_of_all_targets(tmp_path: Path) -> None:
    shape = Shape("qwen2", 256, 2, 4, 2, 512, 96)
    one = needed(tmp_path, shape, "BF16", "Q8_0")
    assert one.working == max(2 + 34 / 32, 2 + 4)  # a bias becomes F32
    assert one.waiting == 4
    three = needed(tmp_path, shape, "BF16", "Q8_0", "Q6_K", "Q4_K_M")
    assert three.working == pytest.approx(2 + 34 / 32 + 210 / 256 + 144 / 256 + 2, abs=2)
    assert needed(tmp_path, shape, "BF16", "Q8_0", wide=True).working == 2 + 4 + 4
    copied = needed(tmp_path, shape, "BF16", "BF16")
    assert copied.working >= 2 + 3  # and which are no numbers


def test_a_chunk_has_a_row_at_least_or_the_rows_that_change_places(tmp_path: Path) -> None:
    qwen = needed(tmp_path, Shape("qwen2", 256, 2, 4, 2, 512, 96), "BF16", "Q8_0")
    assert qwen.least_weights == 512
    llama = needed(tmp_path, Shape("llama", 256, 2, 4, 2, 512, 96), "BF16", "Q8_0")
    assert llama.least_weights == 2 * 64 * 256


def test_a_run_that_cannot_fit_is_refused_before_anything_is_there(tmp_path: Path) -> None:
    made = conversion(Shape("qwen2", 256, 2, 4, 2, 512, 96), tmp_path / "weights.bin")
    write_weights(made)
    plan = make_plan(made, load_recipe("Q8_0"))
    with pytest.raises(MemoryLimitError) as caught:
        run_plan(plan, tmp_path / "out.gguf", max_memory=1 * MB)
    assert caught.value.found == "--max-memory 1M"
    assert [path.name for path in tmp_path.iterdir()] == ["weights.bin"]
    least = least_of(caught.value)
    assert caught.value.hint == f"--max-memory {least // MB}M"
    run_plan(plan, tmp_path / "out.gguf", max_memory=least + 64 * MB)
    assert (tmp_path / "out.gguf").stat().st_size == plan.file_bytes
