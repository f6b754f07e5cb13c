"""Several files of one read, and shards that come and go."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from qwq_gguf.checkpoint.reader import ShardReader
from qwq_gguf.checkpoint.values import TensorInfo
from qwq_gguf.conversion.values import Conversion
from qwq_gguf.errors import PlanError, ShardError, WrongShardError
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from qwq_gguf.quantization.running import run as run_module
from qwq_gguf.quantization.running.run import Target, run_plans
from qwq_gguf.quantization.writing.outputs import Outputs
from support.shapes import Shape, conversion, write_weights

SMALL = Shape("llama", 256, 2, 4, 2, 512, 96)
RECIPES = ("Q4_K_M", "Q6_K", "Q8_0", "BF16")


@pytest.fixture
def made(tmp_path: Path) -> Conversion:
    result = conversion(SMALL, tmp_path / "weights.bin")
    write_weights(result)
    return result


def in_shards(made: Conversion, folder: Path) -> tuple[Conversion, list[Path]]:
    """The same model with its tensors dealt out to three files."""
    whole = (folder / "weights.bin").read_bytes()
    paths = [folder / f"part-{number}.bin" for number in range(3)]
    contents = [bytearray() for _ in paths]
    moved = {}
    for number, tensor in enumerate(made.tensors):
        (info,) = tensor.sources
        if not isinstance(info, TensorInfo):
            continue
        into = contents[number % 3]
        moved[tensor.name] = replace(
            tensor, sources=(replace(info, shard=paths[number % 3], start=len(into)),)
        )
        into += whole[info.start : info.start + info.nbytes]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    dealt = replace(
        made,
        tensors=tuple(moved.get(each.name, each) for each in made.tensors),
        converter_order=tuple(moved.get(each.name, each) for each in made.converter_order),
    )
    return dealt, paths


class Counting(ShardReader):
    """Counts the bytes that are read."""

    total = 0

    def read(self, info: TensorInfo, first: int = 0, nbytes: int | None = None) -> bytes:
        data = super().read(info, first, nbytes)
        type(self).total += len(data)
        return data


@pytest.mark.parametrize("kind", [ShardError, WrongShardError])
def test_files_appear_only_if_they_are_approved(
    tmp_path: Path, made: Conversion, kind: type[ShardError]
) -> None:
    """Of bytes that are not what they should be, nothing is left to go on with."""
    out = tmp_path / "out"
    out.mkdir()
    target = Target(make_plan(made, load_recipe("Q8_0")), out / "a.gguf")

    def refuse() -> None:
        assert not target.path.exists()
        raise kind("no")

    with pytest.raises(kind), Outputs([target]) as outputs:
        run_plans([target], outputs=outputs, approve=refuse)
    left = [path.name for path in out.iterdir()]
    assert "a.gguf" not in left
    assert (left == []) is (kind is WrongShardError)
    approved: list[bool] = []
    run_plans([target], approve=lambda: approved.append(target.path.exists()))
    assert approved == [False]
    assert target.path.exists()


def test_several_files_of_one_read(
    tmp_path: Path, made: Conversion, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = {name: make_plan(made, load_recipe(name)) for name in RECIPES}
    for name, plan in plans.items():
        run_plan(plan, tmp_path / f"alone-{name}.gguf")
    Counting.total = 0
    monkeypatch.setattr(run_module, "ShardReader", Counting)
    targets = [Target(plan, tmp_path / f"{name}.gguf") for name, plan in plans.items()]
    summaries = run_plans(targets, threads=2, chunk_weights=20_000)
    assert Counting.total == (tmp_path / "weights.bin").stat().st_size
    for name, summary in zip(RECIPES, summaries, strict=True):
        assert summary.path == tmp_path / f"{name}.gguf"
        alone = (tmp_path / f"alone-{name}.gguf").read_bytes()
        assert summary.path.read_bytes() == alone
        assert summary.file_bytes == len(alone)


def test_plans_of_different_models_are_refused(tmp_path: Path, made: Conversion) -> None:
    other = conversion(replace(SMALL, layers=1), tmp_path / "weights.bin")
    targets = [
        Target(make_plan(each, load_recipe("Q8_0")), tmp_path / f"{number}.gguf")
        for number, each in enumerate((made, other))
    ]
    with pytest.raises(PlanError, match="not of one model"):
        run_plans(targets)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.bin"]


class Lending:
    """Puts a shard in its place when it is asked for, and takes it away when it is done."""

    by_shard = True

    def __init__(self, paths: Sequence[Path]) -> None:
        self.asked: list[Path] = []
        self.stopped = threading.Event()
        self._kept = {path: path.rename(path.with_suffix(".kept")) for path in paths}
        self._lock = threading.Lock()

    def begin(self, shards: Sequence[Path]) -> None:
        self.asked = list(shards)

    def bring(self, shard: Path) -> None:
        with self._lock:
            if not shard.exists():
                shard.hardlink_to(self._kept[shard])

    def done(self, shard: Path) -> None:
        shard.unlink()

    def stop(self, problem: BaseException | None = None) -> None:
        self.stopped.set()


def test_shards_are_asked_for_in_order_and_given_back(tmp_path: Path, made: Conversion) -> None:
    run_plan(make_plan(made, load_recipe("Q4_K_M")), tmp_path / "whole.gguf")
    dealt, paths = in_shards(made, tmp_path)
    supply = Lending(paths)
    target = Target(make_plan(dealt, load_recipe("Q4_K_M")), tmp_path / "out.gguf")
    run_plans([target], threads=3, chunk_weights=8_000, supply=supply)
    assert (tmp_path / "out.gguf").read_bytes() == (tmp_path / "whole.gguf").read_bytes()
    assert supply.asked == paths
    assert not any(path.exists() for path in paths)
    assert not supply.stopped.is_set()


def test_a_resumed_run_asks_for_the_shards_it_still_needs(tmp_path: Path, made: Conversion) -> None:
    run_plan(make_plan(made, load_recipe("Q8_0")), tmp_path / "whole.gguf")
    dealt, paths = in_shards(made, tmp_path)
    target = Target(make_plan(dealt, load_recipe("Q8_0")), tmp_path / "out.gguf")

    def by_name(shard: Path) -> str:
        return shard.name

    class StopAfterOne(Lending):
        def done(self, shard: Path) -> None:
            super().done(shard)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Outputs([target], identity=by_name) as outputs:
        run_plans([target], outputs=outputs, threads=1, supply=StopAfterOne(paths))
    for path in paths:
        path.unlink(missing_ok=True)
        path.with_suffix(".kept").rename(path)
    supply = Lending(paths)
    with Outputs([target], identity=by_name) as outputs:
        run_plans([target], outputs=outputs, supply=supply)
    assert supply.asked in (paths[1:], paths[2:])
    assert (tmp_path / "out.gguf").read_bytes() == (tmp_path / "whole.gguf").read_bytes()


class Waiting(Lending):
    """The second shard never comes."""

    def bring(self, shard: Path) -> None:
        if shard.name == "part-1.bin":
            assert self.stopped.wait(60)
            raise ShardError("the download was stopped", path=shard)
        super().bring(shard)


def test_a_run_that_ends_does_not_wait_for_a_shard(tmp_path: Path, made: Conversion) -> None:
    dealt, paths = in_shards(made, tmp_path)
    supply = Waiting(paths)
    target = Target(make_plan(dealt, load_recipe("Q4_K_M")), tmp_path / "out.gguf")

    def press(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_plans([target], threads=1, supply=supply, progress=press)
    assert supply.stopped.is_set()
    assert not (tmp_path / "out.gguf").exists()


class OneAtATime(Lending):
    """A shard comes only when the one before it has been given back."""

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__(paths)
        self._free = threading.Semaphore(1)

    def bring(self, shard: Path) -> None:
        if not shard.exists():
            assert self._free.acquire(timeout=60)
            super().bring(shard)

    def done(self, shard: Path) -> None:
        super().done(shard)
        self._free.release()


def test_a_shard_is_given_back_when_all_others_wait_for_that(
    tmp_path: Path, made: Conversion
) -> None:
    """Its rows become durable when no more results are to be expected."""
    dealt, paths = in_shards(made, tmp_path)
    target = Target(make_plan(dealt, load_recipe("Q8_0")), tmp_path / "out.gguf")
    run_plans([target], threads=1, supply=OneAtATime(paths))
    assert not any(path.exists() for path in paths)
