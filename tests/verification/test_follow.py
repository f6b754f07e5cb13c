"""Digests of a file that is still being written."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from qwq_gguf.checkpoint import Checkpoint
from qwq_gguf.conversion import convert
from qwq_gguf.errors import OutputError
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.quantization import Progress, load_recipe, make_plan, run_plan
from qwq_gguf.verification.contents import read_contents
from qwq_gguf.verification.running_digests import Front, WriteFollower


@pytest.mark.parametrize("seed", range(5))
def test_the_front_is_the_first_gap(seed: int) -> None:
    rng = random.Random(seed)
    cuts = sorted(rng.sample(range(1, 1000), 30))
    ranges = list(zip([0, *cuts], [*cuts, 1000], strict=True))
    rng.shuffle(ranges)
    front, here = Front(), bytearray(1000)
    for start, stop in ranges:
        front.add(start, stop)
        here[start:stop] = b"x" * (stop - start)
        gap = here.find(b"\0")
        assert front.position == (1000 if gap < 0 else gap)


@pytest.mark.parametrize("recipe, threads, chunk", [("Q4_K_M", 1, 1 << 20), ("Q8_0", 3, 300)])
def test_the_same_as_reading_the_finished_file(
    tmp_path: Path, checkpoint: Checkpoint, recipe: str, threads: int, chunk: int
) -> None:
    plan, path = make_plan(convert(checkpoint), load_recipe(recipe)), tmp_path / "model.gguf"
    with WriteFollower() as follower:
        run_plan(plan, path, threads=threads, chunk_weights=chunk, follow=follower)
        assert follower.contents() == read_contents(read_gguf(path))


def test_ranges_in_any_order(tmp_path: Path, checkpoint: Checkpoint) -> None:
    """Written from the end to the beginning: nothing is read before it is there."""
    plan, path = make_plan(convert(checkpoint), load_recipe("Q8_0")), tmp_path / "model.gguf"
    run_plan(plan, path)
    content = path.read_bytes()
    other = tmp_path / "other.gguf"
    with other.open("w+b", buffering=0) as file, WriteFollower() as follower:
        file.truncate(len(content))
        follower.begin(plan.parts[0], other, file.fileno())
        spans = [(plan.data_offset + t.offset, t.nbytes) for t in plan.tensors]
        for start, nbytes in [*reversed(spans), (0, plan.data_offset)]:
            file.seek(start)
            file.write(content[start : start + nbytes])
            follower.written(start, nbytes)
        assert follower.contents() == read_contents(read_gguf(path))


def test_a_run_that_ends_early_leaves_no_thread(tmp_path: Path, checkpoint: Checkpoint) -> None:
    plan = make_plan(convert(checkpoint), load_recipe("Q8_0"))

    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), WriteFollower() as follower:
        run_plan(plan, tmp_path / "model.gguf", follow=follower, progress=stop)
    assert not (tmp_path / "model.gguf").exists()
    assert not [t for t in threading.enumerate() if t.name.startswith(("follow", "digest"))]


def test_a_file_that_is_cut_meanwhile(tmp_path: Path, checkpoint: Checkpoint) -> None:
    plan = make_plan(convert(checkpoint), load_recipe("Q8_0"))
    with (tmp_path / "model.gguf").open("w+b") as file, WriteFollower() as follower:
        follower.begin(plan.parts[0], tmp_path / "model.gguf", file.fileno())
        follower.written(0, plan.file_bytes)
        with pytest.raises(OutputError, match="cut"):
            follower.contents()
