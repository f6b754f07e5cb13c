"""`eval_thinking`, `eval_quality`, `make_imatrix`, `fit_recipe` and `report` give what their
commands print and write.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import qwq_gguf
from qwq_gguf.cli.app import app
from qwq_gguf.errors import OutputError, UsageError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.jobs.events import Activity, Began, Event
from qwq_gguf.quantization.fitting import candidates
from support.checkpoints import write_checkpoint
from support.quality import TEXT, make_quants
from support.results import quality_result, samples_file, write_result
from support.tiny_gguf import write_random


def printed(*words: object) -> Any:
    done = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def without_command(found: dict[str, Any]) -> dict[str, Any]:
    """From Python there is none."""
    run = {name: value for name, value in found["run"].items() if name != "command"}
    return {**found, "run": run}


@pytest.fixture(scope="module")
def quants(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_quants(tmp_path_factory.mktemp("quants"))


def test_eval_thinking(tmp_path: Path) -> None:
    model, typed, called = (tmp_path / name for name in ("m.gguf", "typed.jsonl", "called.jsonl"))
    write_random(model)
    heard: list[Event] = []
    given: dict[str, Any] = {"limit": 2, "max_tokens": 4, "parallel": 1, "threads": 1}
    asked = qwq_gguf.eval_thinking(
        model, "add", profiles=["qwq", "llama-cpp"], out=called, progress=heard.append, **given
    )
    words = ["--profile", "qwq,llama-cpp", "--limit", 2, "-n", 4, "--parallel", 1, "-t", 1]
    own = printed("eval", "thinking", model, "--suite", "add", *words, "--out", typed)
    found = asked.to_json()
    for cell in (*found["cells"], *own["cells"]):
        cell["seconds_per_right"] = None
    assert without_command(found) == without_command(own)
    assert found["run"]["command"] is None
    assert [len(group) for group in asked.groups().values()] == [2, 2]
    answers = [[json.loads(line).get("answer") for line in path.read_text().splitlines()]
               for path in (typed, called)]  # fmt: skip
    assert answers[0] == answers[1]
    assert any(isinstance(e, Began) and e.activity is Activity.EVALUATING for e in heard)


def test_eval_quality_and_an_imatrix(quants: dict[str, Path], tmp_path: Path) -> None:
    base, quant = quants["BF16"], quants["Q2_K"]
    found = qwq_gguf.eval_quality(base, quant, text=TEXT, window=64, windows=2, threads=1)
    words = ["--text", TEXT, "-c", 64, "--chunks", 2, "-t", 1]
    assert without_command(found.to_json()) == without_command(
        printed("eval", "quality", base, quant, *words)
    )
    typed, called = tmp_path / "typed.gguf", tmp_path / "called.gguf"
    made = qwq_gguf.make_imatrix(base, called, text=TEXT, window=64, windows=2, threads=1)
    own = printed("imatrix", base, *words, "-o", typed)
    assert made.to_json() == {**own, "file": called.name}
    assert typed.read_bytes() == called.read_bytes()
    both = qwq_gguf.make_imatrix(None, tmp_path / "both.gguf", merge=[typed, called], window=64)
    assert both.chunks == 4


def test_fit_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = ("Q8_0", "Q5_K", "Q3_K")
    monkeypatch.setattr(candidates, "_LARGE", tuple(GgmlType[kind] for kind in kinds))
    monkeypatch.chdir(tmp_path)
    checkpoint = write_checkpoint(tmp_path / "Tiny-1B")
    fitted = qwq_gguf.fit_recipe(checkpoint, bpw=6, out="a.toml")
    own = printed("recipes", "fit", checkpoint, "--bpw", 6, "-o", "b.toml")
    assert Path("a.toml").read_bytes() == Path("b.toml").read_bytes()
    assert fitted.to_json()["types"] == own["types"]
    made = qwq_gguf.quantize(checkpoint, "m.gguf", fitted.recipe, manifest=False, modelfile=False)
    assert made.file_bytes == fitted.plan.file_bytes == own["file_bytes"]


def test_report(tmp_path: Path) -> None:
    runs = [samples_file(tmp_path / "r.jsonl"), write_result(tmp_path / "q.json", quality_result())]
    made = qwq_gguf.report(runs, tmp_path / "called")
    own = printed("report", *runs, "-o", tmp_path / "typed")
    assert list(made.sections) == own["sections"]
    assert made.files[0].read_bytes() == Path(own["files"][0]).read_bytes()
    with pytest.raises(OutputError) as caught:
        qwq_gguf.report(runs, tmp_path / "called")
    assert "force=True" in (caught.value.hint or "")


CALLS: list[tuple[Callable[[], object], str]] = [
    (lambda: qwq_gguf.eval_thinking("m", "add", force=True), "force goes with out"),
    (lambda: qwq_gguf.eval_thinking("m", ["add", "add"]), "suites: one is named twice"),
    (
        lambda: qwq_gguf.eval_thinking("m", "add", samples=0),
        "samples is a whole number, 1 at least",
    ),
    (lambda: qwq_gguf.eval_thinking(7, "add"), "models is a path or a name"),  # type: ignore[arg-type]
    (lambda: qwq_gguf.eval_quality("m", "q", text="t", traces="r"), "text and traces: name one"),
    (lambda: qwq_gguf.eval_quality("m", "q"), "what is it to be measured on"),
    (lambda: qwq_gguf.eval_quality("m", "q", window=4), "window is a whole number, 8 at least"),
    (lambda: qwq_gguf.make_imatrix("m", "o"), "what is the model to read"),
    (lambda: qwq_gguf.make_imatrix("m", "o", merge=7), "merge is a path or a name"),  # type: ignore[arg-type]
    (lambda: qwq_gguf.fit_recipe("demo"), "name one of size, bpw and vram"),
    (lambda: qwq_gguf.fit_recipe("demo", bpw=99), "bpw is between 1 and 32"),
    (lambda: qwq_gguf.fit_recipe("demo", bpw=4, context=9), "context goes with vram"),
    (lambda: qwq_gguf.report([], "out"), "name at least one result"),
    (lambda: qwq_gguf.publish([], "me/x"), "name the GGUF files to publish"),
    (lambda: qwq_gguf.publish("m.gguf", "me"), "to is a repository"),
]


@pytest.mark.parametrize(("call", "said"), CALLS, ids=[said for _, said in CALLS])
def test_a_call_that_makes_no_sense(call: Callable[[], object], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        call()
    assert caught.value.message.startswith(said)


def test_flags_are_told_by_the_arguments_of_the_call(
    quants: dict[str, Path], tmp_path: Path
) -> None:
    base = tmp_path / "base.kld"
    qwq_gguf.eval_quality(
        quants["BF16"], text=TEXT, window=16, windows=1, save_logits=base, threads=1
    )
    for given, said in (({"window": 64}, "window makes"), ({"windows": 2}, "windows makes")):
        with pytest.raises(UsageError, match=said):
            qwq_gguf.eval_quality(base, quants["Q2_K"], **given)  # type: ignore[arg-type]
