"""`eval quality` on tiny models: llama-perplexity's own figures, by every way there is."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from qwq_gguf.cli.app import app
from qwq_gguf.engine.loading.fact_cache import CACHE_VARIABLE
from qwq_gguf.engine.scoring.scorer import Scorer
from qwq_gguf.jobs import measuring
from qwq_gguf.jobs.measuring import fits_beside
from qwq_gguf.version import __version__
from support.quality import BASE, QUANTS, TEXT, WINDOW, golden, make_quants
from support.tiny_gguf import write_random

RUN = ["--text", str(TEXT), "-c", str(WINDOW), "-t", "1"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_quants(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


def _ran(*words: object, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["eval", "quality", *map(str, words)])
    assert done.exit_code == status, done.output
    return done.output if status else done.stdout


def _figures(*words: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_ran(*words, "--json"))
    assert found["schema"] == "qwq-gguf/eval-quality/1"
    return found


def _is_golden(quant: dict[str, Any], name: str) -> None:
    """To a thousandth, and half of the last digit that llama-perplexity prints."""
    own = golden()["divergence"][name]
    kld = quant["kl_divergence"]
    shares = {"99.9%": "p99.9", "99.0%": "p99", "95.0%": "p95", "90.0%": "p90", "10.0%": "p10"}
    pairs = [
        (quant["perplexity"]["value"], own["Mean PPL(Q)"][0]),
        (quant["perplexity"]["error"], own["Mean PPL(Q)"][1]),
        (quant["reference_perplexity"]["value"], own["Mean PPL(base)"][0]),
        (quant["log_perplexity_ratio"]["value"], own["Mean ln(PPL(Q)/PPL(base))"][0]),
        (quant["log_perplexity_ratio"]["error"], own["Mean ln(PPL(Q)/PPL(base))"][1]),
        (kld["mean"]["value"], own["Mean    KLD"][0]),
        (kld["mean"]["error"], own["Mean    KLD"][1]),
        (kld["p50"], own["Median  KLD"][0]),
        (kld["max"], own["Maximum KLD"][0]),
        *((kld[ours], own[f"{theirs}   KLD"][0]) for theirs, ours in shares.items()),
    ]
    for ours, theirs in pairs:
        assert ours == pytest.approx(theirs, rel=1e-3, abs=6e-7)
    for ours, theirs in (
        (quant["correlation"], own["Cor(ln(PPL(Q)), ln(PPL(base)))"]),
        (quant["same_top"]["value"], own["Same top p"]),
        (quant["probability_difference"]["rms"]["value"], own["RMS Δp"]),
        (quant["probability_difference"]["mean"]["value"], own["Mean    Δp"]),
    ):
        assert 100 * ours == pytest.approx(theirs[0], rel=1e-3, abs=6e-3)


def test_side_by_side_the_figures_are_llama_perplexitys(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "base.kld"
    monkeypatch.setattr("sys.argv", ["qwq-gguf", "eval", "quality", "a b", "--token", "hf_secret"])
    found = _figures(*models.values(), *RUN, "--save-logits", base, "--worst", 2)
    own = golden()["perplexity"]
    assert found["reference"]["perplexity"]["value"] == pytest.approx(own[0], rel=1e-3)
    assert found["reference"]["perplexity"]["error"] == pytest.approx(own[1], rel=1e-3)
    assert [quant["file"] for quant in found["quants"]] == [models[name].name for name in QUANTS]
    run = found["run"]
    assert run["schema"] == "qwq-gguf/quality-run/1"
    assert [model["name"] for model in run["models"]] == [path.name for path in models.values()]
    assert len({model["digest"] for model in run["models"]}) == len(models)
    assert run["threads"] == 1
    assert run["machine"]["processors"] >= 1
    assert run["versions"]["qwq_gguf"] == __version__
    assert run["command"] == "qwq-gguf eval quality 'a b'"
    assert run["seed"] is None, "nothing was drawn"
    for quant, name in zip(found["quants"], QUANTS, strict=True):
        _is_golden(quant, name)
        worst = quant["worst"]
        assert len(worst) == 2
        assert worst[0]["kl_divergence"] == pytest.approx(quant["kl_divergence"]["max"], rel=1e-5)
        assert worst[0]["before"][-8:] in TEXT.read_text()

    again = _figures(base, models["Q2_K"], "-t", 1)
    _is_golden(again["quants"][0], "Q2_K")
    assert again["run"]["models"][0]["file"] == base.name
    assert again["run"]["models"][1] == run["models"][[*models].index("Q2_K")]
    _is_golden(_figures("--logits", base, models["Q4_K_M"])["quants"][0], "Q4_K_M")


def test_one_after_the_other_they_are_the_same(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "fits_beside", lambda *_: False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = CliRunner().invoke(
        app, ["eval", "quality", str(models["BF16"]), str(models["Q2_K"]), *RUN, "--json"]
    )
    assert done.exit_code == 0, done.output
    _is_golden(json.loads(done.stdout)["quants"][0], "Q2_K")
    assert re.search(r"one model after the other: [\d.]+ KiB in ", done.stderr)
    assert list(tmp_path.iterdir()) == []

    base = tmp_path / "base.kld"
    found = _figures(models["BF16"], models["Q2_K"], *RUN, "--save-logits", base)
    _is_golden(found["quants"][0], "Q2_K")
    assert list(tmp_path.iterdir()) == [base]


@pytest.mark.parametrize("beside", [True, False])
def test_ctrl_c_leaves_nothing_behind(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: bool
) -> None:
    rows = Scorer.rows

    def ended(self: Scorer, texts: Any) -> Any:
        for number, each in enumerate(rows(self, texts)):
            if number == 3:
                raise KeyboardInterrupt
            yield each

    monkeypatch.setattr(Scorer, "rows", ended)
    monkeypatch.setattr(measuring, "fits_beside", lambda *_: beside)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    two = [models["BF16"], models["Q2_K"], *RUN]
    _ran(*two, status=130)
    _ran(*two, "--save-logits", tmp_path / "base.kld", status=130)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_said_before_anything_is_computed(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    monkeypatch.setattr(measuring, "fits_beside", lambda *_: False)
    monkeypatch.setattr(Scorer, "rows", None)
    two = [models["BF16"], models["Q2_K"], *RUN]
    assert "the disk is too small" in _ran(*two, status=1)
    path = tmp_path / "base.kld"
    assert "the disk is too small" in _ran(*two, "--save-logits", path, status=1)


def test_base_logits_are_those_of_llama_perplexity(models: dict[str, Path], tmp_path: Path) -> None:
    from qwq_gguf.evaluation.quality.base_file import BaseFile
    from qwq_gguf.evaluation.quality.log_probs import decode

    path = tmp_path / "own.kld"
    _ran(models["BF16"], "--text", TEXT, "-c", 16, "--chunks", 2, "--save-logits", path)
    with BaseFile(path) as ours, BaseFile(BASE) as theirs:
        assert ours.header == theirs.header
        assert (ours.tokens == theirs.tokens).all()
        for window in range(2):
            rows = [decode(each.rows(window, 8, 7), 320) for each in (ours, theirs)]
            assert rows[0] == pytest.approx(rows[1], abs=1e-3)


def test_the_table_is_for_people(models: dict[str, Path]) -> None:
    words = [models["BF16"], models["Q2_K"], *RUN, "--chunks", 2]
    done = CliRunner().invoke(app, ["eval", "quality", *map(str, words)])
    assert "RMS Δp" in done.stdout
    assert models["Q2_K"].name in done.stdout
    assert "the reference wanted" in done.stderr


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traces") / "replies.jsonl"
    lines: list[dict[str, Any]] = [{"schema": "qwq-gguf/eval-run/1"}]
    for number in range(3):
        tokens = {"prompt": [5, 6, 7], "reply": [40 + number, 9, 50, 60, 70, 80, 90]}
        sample = {"schema": "qwq-gguf/eval-sample/2", "thought_tokens": 5, "tokens": tokens}
        lines.append(sample)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_traces_are_told_apart_by_what_they_are(models: dict[str, Path], traces: Path) -> None:
    found = _figures(models["BF16"], models["Q2_K"], "--traces", traces)
    assert found["read"]["replies"] == 3
    assert found["run"]["seed"] == 0
    (quant,) = found["quants"]
    assert quant["places"] == 21
    assert sum(kind["places"] for kind in quant["kinds"].values()) == 21
    few = _figures(models["BF16"], models["Q2_K"], "--traces", traces, "-c", 8, "--chunks", 2)
    assert few["quants"][0]["places"] == 10


@pytest.mark.parametrize(
    ("words", "said", "status"),
    [
        ([], "--text FILE, or --traces FILE", 2),
        (["--text", TEXT, "--traces", TEXT], "name one of them", 2),
        (["--text", TEXT, "--force"], "--force goes with --save-logits", 2),
        (["--text", TEXT, "--logits", BASE], "--text makes no sense", 2),
        (["--text", TEXT, "-c", 1 << 20], "too short a text", 1),
        (["--traces", TEXT], "no file of replies", 1),
        (["--text", "/nowhere.txt"], "cannot be read", 1),
    ],
)
def test_what_does_not_go_together_is_said(
    models: dict[str, Path], words: list[object], said: str, status: int
) -> None:
    assert said in " ".join(_ran(models["BF16"], models["Q2_K"], *words, status=status).split())


def test_models_of_other_vocabularies_are_refused(models: dict[str, Path], tmp_path: Path) -> None:
    other = write_random(tmp_path / "other.gguf")
    said = _ran(models["BF16"], other, *RUN, status=1)
    assert "their vocabularies differ" in said


def test_models_are_side_by_side_where_memory_is_certain_to_do() -> None:
    assert fits_beside([1 << 30, 1 << 29], 16 << 30)
    assert not fits_beside([8 << 30, 4 << 30], 16 << 30)
    assert not fits_beside([1], None)
