"""`quantize` and `plan` do what the command does, to the byte."""

from __future__ import annotations

import hashlib
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import qwq_gguf
from qwq_gguf.cli.app import app
from qwq_gguf.errors import OutputError, RecipeError, UsageError
from qwq_gguf.jobs.events import Activity, Began, Delayed, Ended, Event, Progress
from qwq_gguf.verification.record import ShardDigests

FLAGS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "the defaults": ([], {}),
    "another recipe": (["-r", "q8_0"], {"recipe": "q8_0"}),
    "what changes bytes": (
        [
            *("--name", "Mine", "--pure", "--output-tensor-type", "Q8_0"),
            *("--tensor-type", "attn_v=F16", "--override-kv", "general.author=str:me"),
            *("--profile", "llama-cpp", "--no-repair"),
        ],
        {
            "name": "Mine",
            "pure": True,
            "output_tensor_type": "Q8_0",
            "tensor_types": ["attn_v=F16"],
            "override_kv": ["general.author=str:me"],
            "profile": "llama-cpp",
            "repair": False,
        },
    ),
    "several files": (["--split-max-tensors", "40"], {"split_max_tensors": 40}),
    "without what lies beside": (
        ["--no-manifest", "--no-modelfile", "--no-sampling-metadata"],
        {"manifest": False, "modelfile": False, "sampling_metadata": False},
    ),
}


def contents(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


@pytest.mark.parametrize("case", FLAGS)
def test_the_same_files_as_the_command(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags, arguments = FLAGS[case]
    typed, called = tmp_path / "typed", tmp_path / "called"
    typed.mkdir()
    called.mkdir()
    monkeypatch.chdir(typed)
    done = CliRunner().invoke(app, ["quantize", "demo", *flags])
    assert done.exit_code == 0, done.output
    monkeypatch.chdir(called)
    made = qwq_gguf.quantize("demo", **arguments)
    assert contents(called) == contents(typed)
    assert made.file_bytes == sum(path.stat().st_size for path in made.paths)
    if arguments.get("manifest", True):
        assert made.digests == {path.name: contents(called)[path.name] for path in made.paths}
    else:
        assert made.digests == {}
    assert {path.name for path in (*made.paths, *made.written)} == set(contents(called))
    for sentence in made.remarks:
        assert sentence in done.output.replace("--force replaces", "force=True replaces"), sentence
    beside = {"manifest", "modelfile"}
    planned = qwq_gguf.plan(
        "demo", **{name: value for name, value in arguments.items() if name not in beside}
    )
    assert planned.file_bytes == made.file_bytes
    shown = CliRunner().invoke(app, ["quantize", "demo", *flags, "--dry-run", "--json"])
    value = json.loads(shown.stdout)
    assert planned.to_json()["file_bytes"] == value["file_bytes"]


def test_what_is_waited_for_is_said_and_is_no_remark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the digests are late depends on the machine's load; what was made does not."""
    monkeypatch.setattr(ShardDigests, "ready", False)
    sentence = "reading the rest of the shards"
    heard: list[Event] = []
    made = qwq_gguf.quantize("demo", tmp_path / "a.gguf", "q8_0", progress=heard.append)
    assert any(isinstance(event, Delayed) and sentence in event.text for event in heard)
    assert not [remark for remark in made.remarks if sentence in remark]
    typed = ["quantize", "demo", str(tmp_path / "b.gguf"), "-r", "q8_0"]
    assert sentence in CliRunner().invoke(app, typed).stderr


def test_several_recipes_are_one_reading(tmp_path: Path) -> None:
    made = qwq_gguf.quantize("demo", tmp_path, ["Q8_0", qwq_gguf.load_recipe("BF16")])
    assert [path.name for path in made.paths] == ["QwQ-Demo-Q8_0.gguf", "QwQ-Demo-BF16.gguf"]
    assert [plan.recipe for plan in made.plans] == ["Q8_0", "BF16"]
    assert len(made.digests) == 2


def test_nothing_is_printed_and_events_come(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    heard: list[Event] = []
    qwq_gguf.quantize("demo", tmp_path / "a.gguf", progress=heard.append)
    assert Ended(Activity.QUANTIZING) in heard
    assert any(isinstance(event, Began) for event in heard)
    assert any(isinstance(event, Progress) for event in heard)
    assert capfd.readouterr() == ("", "")


def test_a_bar_where_one_can_be_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    qwq_gguf.quantize("demo", tmp_path / "a.gguf", progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "Q4_K_M a.gguf" in err
    assert "sha256" not in err  # bars, and no sentences


def test_a_bar_in_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """rich shows it in a widget there; what it needs of IPython is put in its place."""
    shown: list[object] = []

    class Output:
        def __enter__(self) -> None:
            pass

        def __exit__(self, *_: object) -> None:
            pass

        def clear_output(self, *, wait: bool) -> None:
            shown.append("cleared")

        def close(self) -> None:
            shown.append("closed")

    def display(*given: object, **_: object) -> None:
        shown.extend(given)

    for name, content in (
        ("IPython", {}),
        ("IPython.display", {"display": display}),
        ("ipywidgets", {"Output": Output}),
    ):
        module = types.ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    qwq_gguf.quantize("demo", tmp_path / "a.gguf", progress=True)
    assert any(isinstance(each, Output) for each in shown)
    assert "cleared" in shown
    assert "closed" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"source": 7}, "source is a path or a name"),
        ({"source": ""}, "source is a path or a name"),
        ({"recipe": []}, "no recipe is named"),
        ({"recipe": 4}, "recipe is a path or a name"),
        ({"tensor_types": "attn_v=F16"}, "tensor_types is a list of texts"),
        ({"override_kv": {"a": "b"}}, "override_kv is a list of texts"),
        ({"threads": 0}, "threads is a whole number"),
        ({"max_memory": "1G"}, "max_memory is a whole number"),
        ({"split_max_size": 1 << 30, "split_max_tensors": 3}, "name one of them"),
        ({"no_tensor_first_split": True}, "goes with split_max_size or split_max_tensors"),
        ({"name": 7}, "name is a text"),
        ({"output_tensor_type": 7}, "output_tensor_type is a text"),
        ({"force": "yes"}, "force is True or False"),
        ({"kernels": "cuda"}, "kernels is auto, numba or ggml"),
        ({"progress": "yes"}, "progress is a function of events, or True"),
        ({"stream": True}, "^stream goes with a model on the Hub"),
    ],
)
def test_a_wrong_call_says_what_to_do(arguments: dict[str, Any], said: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"source": "demo", "out": tmp_path / "a.gguf"} | arguments
    with pytest.raises(UsageError, match=said):
        qwq_gguf.quantize(**given)
    assert list(tmp_path.iterdir()) == []


def test_errors_are_those_of_the_command(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no recipe is called Q4_K_X"):
        qwq_gguf.plan("demo", "Q4_K_X")
    with pytest.raises(qwq_gguf.QwqGgufError, match="there is no such folder"):
        qwq_gguf.plan(tmp_path / "none")
    (tmp_path / "a.gguf").write_text("mine")
    with pytest.raises(OutputError):
        qwq_gguf.quantize("demo", tmp_path / "a.gguf")
    assert (tmp_path / "a.gguf").read_text() == "mine"
    with pytest.raises(UsageError, match="a plan is of one recipe"):
        qwq_gguf.plan("demo", ["Q8_0", "BF16"])  # type: ignore[arg-type]
