"""`imatrix` on tiny models: llama-imatrix's own sums, gone on with and merged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader
from typer.testing import CliRunner

from qwq_gguf.cli.app import app
from qwq_gguf.engine.loading.fact_cache import CACHE_VARIABLE
from qwq_gguf.engine.scoring.scorer import Scorer
from qwq_gguf.ggml_types import FileType
from qwq_gguf.quantization import read_imatrix
from support.imatrix import legacy_bytes
from support.llama_quantize import quantize as llama_quantize
from support.quality import TEXT, WINDOW, golden, make_moe, make_quants

READ = ["--text", str(TEXT), "-c", str(WINDOW), "-t", "1"]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_quants(tmp_path_factory.mktemp("plain"))["BF16"]


@pytest.fixture(scope="module")
def moe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_moe(tmp_path_factory.mktemp("moe"))


def _ran(*words: object, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["imatrix", *map(str, words)])
    assert done.exit_code == status, done.output
    return done.output


def _tensors(path: Path) -> dict[str, np.ndarray]:
    return {tensor.name: tensor.data for tensor in GGUFReader(path).tensors}


@pytest.mark.parametrize("kind", ["plain", "moe"])
def test_the_sums_are_those_of_llama_imatrix(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    out = tmp_path / "out.imatrix.gguf"
    _ran(request.getfixturevalue(kind), *READ, "-o", out)
    found, own = _tensors(out), golden()["imatrix"][kind]
    parts = ("in_sum2", "counts")
    assert list(found) == [f"{name}.{part}" for name in sorted(own) for part in parts]
    for name, entry in own.items():
        sums = found[f"{name}.in_sum2"]
        assert found[f"{name}.counts"].ravel().tolist() == entry["counts"]
        assert float(sums.sum(dtype=np.float64)) == pytest.approx(entry["total"], rel=1e-4)
        assert sums.ravel()[::37].tolist() == pytest.approx(entry["some"], rel=1e-4)


def test_the_file_is_read_by_us_and_by_llama_cpp(moe: Path, tmp_path: Path) -> None:
    out = tmp_path / "moe.imatrix.gguf"
    said = json.loads(_ran(moe, *READ, "-o", out, "--json", "-q"))
    read = read_imatrix(out)
    assert (read.dataset, read.chunks) == (TEXT.name, said["chunks"])
    assert len(read.entries) == said["entries"] == 16
    llama_quantize(moe, tmp_path / "q.gguf", FileType.Q4_K_S, imatrix=read.entries)


def test_a_run_that_was_ended_is_gone_on_with(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [plain, *READ, "--save-frequency", 8, "--chunks", 24]
    whole, out = tmp_path / "whole.gguf", tmp_path / "out.gguf"
    _ran(*words, "-o", whole)

    run = Scorer.run
    seen: list[int] = []

    def ended(self: Scorer, texts: Any) -> Any:
        seen.append(len(texts))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return run(self, texts)

    monkeypatch.setattr(Scorer, "run", ended)
    said = _ran(*words, "-o", out, status=130)
    state = tmp_path / "out.gguf.unfinished"
    assert "67 % is done and kept" in said
    assert not out.exists()
    assert _tensors(state).keys() == _tensors(whole).keys()

    monkeypatch.setattr(Scorer, "run", run)
    assert "16 windows of which are done" in _ran(*words, "-o", out)
    assert out.read_bytes() == whole.read_bytes()
    assert not state.exists()


def test_what_is_saved_of_another_run_is_left_aside(plain: Path, tmp_path: Path) -> None:
    out, state = tmp_path / "out.gguf", tmp_path / "out.gguf.unfinished"
    for content in (b"nonsense", b"GGUF" + bytes(40)):
        state.write_bytes(content)
        assert "starting over" in _ran(plain, *READ, "--chunks", 2, "-o", out, "--force")
    assert not state.exists()
    _ran(plain, *READ, "--chunks", 2, "-o", state)  # a whole one, by chance of that name
    assert "another run" in _ran(plain, *READ, "--chunks", 2, "-o", out, "--force")


def test_several_are_merged(moe: Path, tmp_path: Path) -> None:
    one, two, both = (tmp_path / f"{name}.gguf" for name in ("one", "two", "both"))
    _ran(moe, *READ, "--chunks", 8, "-o", one)
    _ran(moe, *READ, "--chunks", 16, "--merge", one, "-o", two)
    said = _ran("--merge", one, "--merge", two, "-o", both)
    assert f"32 windows of {WINDOW} tokens" in said  # as the first file says of itself
    first, second, third = map(_tensors, (one, two, both))
    for name, values in third.items():
        assert values == pytest.approx(first[name] + second[name], rel=1e-6)
    assert _tensors(two)["blk.0.attn_q.weight.counts"].ravel().tolist() == [24 * WINDOW]
    assert read_imatrix(both).chunks == 32


def test_the_older_format_is_merged_too(tmp_path: Path) -> None:
    old, out = tmp_path / "old.dat", tmp_path / "out.gguf"
    means = np.arange(1, 9, dtype=np.float32)
    old.write_bytes(legacy_bytes({"blk.0.attn_q.weight": (means * 5, 5)}, chunks=5))
    _ran("--merge", old, "-o", out, "-c", 64)
    found = _tensors(out)
    assert found["blk.0.attn_q.weight.counts"].tolist() == [5 * 64]
    assert read_imatrix(out).entries["blk.0.attn_q.weight"] == pytest.approx(means)


def test_of_another_model_nothing_is_merged(moe: Path, plain: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.gguf", tmp_path / "two.dat"
    _ran(moe, *READ, "--chunks", 1, "-o", one)
    two.write_bytes(legacy_bytes({"blk.0.attn_q.weight": (np.ones(8, np.float32), 1)}))
    said = _ran("--merge", one, "--merge", two, "-o", tmp_path / "x.gguf", status=1)
    assert "has another size there" in said


def test_traces_are_read_each_from_its_beginning(plain: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "replies.jsonl", tmp_path / "out.gguf"
    lines: list[dict[str, Any]] = [{"schema": "qwq-gguf/eval-run/1"}]
    for size in (30, 60, 5):
        tokens = {"prompt": [5, 6, 7], "reply": list(range(20, 20 + size))}
        lines.append({"schema": "qwq-gguf/eval-sample/2", "tokens": tokens})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    said = json.loads(_ran(plain, "--traces", path, "-c", 40, "-o", out, "--json", "-q"))
    # 33; 40 and 23 of the second; the third is too short to learn from.
    assert (said["windows"], said["tokens"]) == (3, 96)
    assert _tensors(out)["blk.0.attn_q.weight.counts"].tolist() == [96]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--text", TEXT], "of which model?"),
        ([], "name a model and a --text, or files to --merge"),
        (["model.gguf"], "what is the model to read?"),
        (["model.gguf", "--text", TEXT, "--traces", TEXT], "name one of them"),
    ],
)
def test_what_does_not_go_together_is_said(tmp_path: Path, words: list[object], said: str) -> None:
    assert said in " ".join(_ran(*words, "-o", tmp_path / "x.gguf", status=2).split())


def test_what_is_there_stays(plain: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gguf"
    out.write_bytes(b"mine")
    _ran(plain, *READ, "-o", out, status=1)
    assert out.read_bytes() == b"mine"
