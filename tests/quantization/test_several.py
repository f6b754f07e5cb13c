"""Several files of one reading: each weight is read once, and each file is as if made alone."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.checkpoint.reader import ShardReader
from qwq_gguf.checkpoint.values import TensorInfo
from qwq_gguf.conversion import convert
from qwq_gguf.conversion.values import Conversion
from qwq_gguf.errors import OutputError, PlanError, TensorError
from qwq_gguf.quantization import Imatrix, Overrides, Progress, load_recipe, make_plan, run_plan
from qwq_gguf.quantization.planning.plan import Plan
from qwq_gguf.quantization.planning.split import SplitRule, split_plan
from qwq_gguf.quantization.running.run import Target, run_plans
from qwq_gguf.quantization.running.supply import OnDisk
from support.checkpoints import write_checkpoint
from support.imatrix import importance
from support.shapes import Shape, conversion, write_weights

SMALL = Shape("llama", 256, 2, 4, 2, 512, 96)
RECIPES = ("Q4_K_M", "BF16", "Q8_0", "Q2_K")  # BF16 has its tensors in another order


@pytest.fixture
def made(tmp_path: Path) -> Conversion:
    result = conversion(SMALL, tmp_path / "weights.bin")  # its Q and K rows change places
    write_weights(result)
    return result


def targets(plans: list[Plan], folder: Path) -> list[Target]:
    return [Target(plan, folder / f"{plan.recipe}.gguf") for plan in plans]


class Reads:
    """How many bytes of each tensor were read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes: Counter[str] = Counter()
        lock, real = threading.Lock(), ShardReader.read

        def read(
            reader: ShardReader, info: TensorInfo, first: int = 0, nbytes: int | None = None
        ) -> bytes:
            data = real(reader, info, first, nbytes)
            with lock:
                self.bytes[info.name] += len(data)
            return data

        monkeypatch.setattr(ShardReader, "read", read)


@pytest.mark.parametrize("chunk", [1 << 20, 30_000])  # whole tensors, and heads
def test_each_weight_is_read_once(
    tmp_path: Path, made: Conversion, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    reads = Reads(monkeypatch)
    plans = [make_plan(made, load_recipe(name)) for name in RECIPES]
    run_plans(targets(plans, tmp_path), threads=2, chunk_weights=chunk)
    assert reads.bytes == {
        info.name: info.nbytes
        for tensor in made.tensors
        for info in tensor.sources
        if isinstance(info, TensorInfo)
    }


@pytest.mark.parametrize("chunk", [1 << 20, 1_500])
def test_each_file_is_as_if_made_alone(tmp_path: Path, made: Conversion, chunk: int) -> None:
    plans = [make_plan(made, load_recipe(name)) for name in RECIPES]
    together = targets(plans, tmp_path)
    summaries = run_plans(together, threads=3, chunk_weights=chunk)
    for plan, target, summary in zip(plans, together, summaries, strict=True):
        run_plan(plan, tmp_path / "alone.gguf", force=True)
        assert target.path.read_bytes() == (tmp_path / "alone.gguf").read_bytes()
        assert (summary.path, summary.file_bytes) == (target.path, plan.file_bytes)


def test_whole_and_in_parts_from_shards(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "Tiny-1B", "llama", shards=3)
    made = convert(open_checkpoint(source))
    whole = make_plan(made, load_recipe("Q4_K_M"))
    other = split_plan(make_plan(made, load_recipe("Q6_K")), SplitRule(max_bytes=300_000))
    both = targets([whole, other], tmp_path)
    run_plans(both, threads=2)
    run_plan(whole, tmp_path / "alone.gguf")
    assert both[0].path.read_bytes() == (tmp_path / "alone.gguf").read_bytes()
    alone = Target(other, tmp_path / "parts.gguf")
    run_plans([alone], threads=2)
    assert [path.read_bytes() for path in both[1].paths] == [
        path.read_bytes() for path in alone.paths
    ]


class OneByOne(OnDisk):
    """Shards in the order of reading, and when each was done with."""

    by_shard = True

    def __init__(self) -> None:
        self.order: list[Path] = []
        self.finished: list[Path] = []

    def begin(self, shards: Sequence[Path]) -> None:
        self.order = list(shards)

    def done(self, shard: Path) -> None:
        self.finished.append(shard)


def test_whole_and_in_parts_shard_by_shard(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "Tiny-1B", "llama", shards=3)
    made = convert(open_checkpoint(source))
    plans = [
        make_plan(made, load_recipe("Q4_K_M")),
        split_plan(make_plan(made, load_recipe("BF16")), SplitRule(max_bytes=500_000)),
    ]
    streamed, supply = targets(plans, tmp_path), OneByOne()
    run_plans(streamed, threads=3, supply=supply)
    assert sorted(supply.finished) == supply.order == sorted(source.glob("*.safetensors"))
    (tmp_path / "alone").mkdir()
    for target in streamed:
        alone = Target(target.plan, tmp_path / "alone" / target.path.name)
        run_plans([alone], threads=2)
        assert [path.read_bytes() for path in target.paths] == [
            path.read_bytes() for path in alone.paths
        ]


def test_progress_counts_the_model_once(tmp_path: Path, made: Conversion) -> None:
    seen: list[Progress] = []
    plans = [make_plan(made, load_recipe(name)) for name in ("Q4_K_M", "Q8_0")]
    run_plans(targets(plans, tmp_path), threads=2, progress=seen.append)
    assert (seen[-1].done_weights, seen[-1].total_weights) == (plans[0].weights,) * 2


def test_an_imatrix_weighs_where_each_recipe_uses_it(tmp_path: Path, made: Conversion) -> None:
    given: Imatrix = importance(made)
    plans = [
        make_plan(made, load_recipe(name), imatrix=given) for name in ("Q3_K_S", "Q4_K_M", "Q8_0")
    ]
    together = targets(plans, tmp_path)
    run_plans(together, threads=2)
    for plan, target in zip(plans, together, strict=True):
        run_plan(plan, tmp_path / "alone.gguf", force=True)
        assert target.path.read_bytes() == (tmp_path / "alone.gguf").read_bytes()


def test_what_one_recipe_cannot_hold_ends_all(tmp_path: Path) -> None:
    made = conversion(SMALL, tmp_path / "weights.bin", "F32")
    write_weights(made)
    (info,) = next(t.sources for t in made.tensors if t.name == "blk.1.ffn_up.weight")
    assert isinstance(info, TensorInfo)
    with info.shard.open("r+b") as file:
        file.seek(info.start)
        file.write(b"\x00\x00\x80\x7e")  # 2^126: a BF16, but no F16
    plans = [make_plan(made, load_recipe(name)) for name in ("BF16", "F16")]
    with pytest.raises(TensorError, match="too large for F16"):
        run_plans(targets(plans, tmp_path), threads=2)
    assert not list(tmp_path.glob("*.gguf"))


def test_a_file_in_the_way_of_one_stops_all(tmp_path: Path, made: Conversion) -> None:
    plans = [make_plan(made, load_recipe(name)) for name in ("Q4_K_M", "Q8_0")]
    (tmp_path / "Q8_0.gguf").write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        run_plans(targets(plans, tmp_path))
    assert (tmp_path / "Q8_0.gguf").read_bytes() == b"precious"
    assert not (tmp_path / "Q4_K_M.gguf").exists()


def test_plans_of_different_models_are_refused(tmp_path: Path, made: Conversion) -> None:
    other = conversion(SMALL, tmp_path / "other.bin")
    plans = [make_plan(made, load_recipe("Q8_0")), make_plan(other, load_recipe("Q8_0"))]
    with pytest.raises(PlanError, match="not of one model"):
        run_plans([Target(plan, tmp_path / f"{n}.gguf") for n, plan in enumerate(plans)])


def test_overrides_apply_to_each(tmp_path: Path, made: Conversion) -> None:
    pure = [make_plan(made, load_recipe(name), Overrides(pure=True)) for name in ("Q4_K_M", "Q8_0")]
    run_plans(targets(pure, tmp_path), threads=2)
    for plan in pure:
        assert (tmp_path / f"{plan.recipe}.gguf").stat().st_size == plan.file_bytes
