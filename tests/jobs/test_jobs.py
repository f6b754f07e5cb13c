"""Jobs say by events what happens, return values, and never print."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from qwq_gguf.errors import OutputError, UsageError
from qwq_gguf.jobs.events import (
    Activity,
    Began,
    Ended,
    Event,
    Interrupted,
    Kept,
    Meter,
    Progress,
    Quantized,
    Said,
    Unfinished,
    Wrote,
    activity,
)
from qwq_gguf.jobs.planning import Planned, Wanted, plan_models
from qwq_gguf.jobs.quantizing import How, make
from qwq_gguf.jobs.source import CheckpointSource, GgufSource, open_source
from qwq_gguf.jobs.verifying import verify_file


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "demo.gguf"


def planned(out: Path, recipe: str = "Q8_0") -> Planned:
    return plan_models(Wanted("demo", str(out), (recipe,)))


def test_an_activity_ends_whatever_ends_it() -> None:
    heard: list[Event] = []
    with pytest.raises(OutputError), activity(heard.append, Activity.COPYING, "x", 3):
        raise OutputError("full")
    assert heard == [Began(Activity.COPYING, "x", 3), Ended(Activity.COPYING)]


def test_a_meter_adds_up() -> None:
    heard: list[Event] = []
    meter = Meter(heard.append, Activity.VERIFYING, 10)
    meter.passed(3, "a")
    meter.passed(4, "b")
    assert heard == [
        Progress(Activity.VERIFYING, 3, 10, "a"),
        Progress(Activity.VERIFYING, 7, 10, "b"),
    ]


def test_quantizing_is_told_in_order_and_returned(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard: list[Event] = []
    (made,) = make(planned(out), How(), heard.append)
    kinds = [type(event) for event in heard if not isinstance(event, Progress)]
    assert kinds == [Began, Ended, Began, Ended, Quantized, Wrote, Wrote]
    ends = [event.activity for event in heard if isinstance(event, Ended)]
    assert ends == [Activity.CHECKING, Activity.QUANTIZING]
    steps = [e for e in heard if isinstance(e, Progress) and e.activity is Activity.QUANTIZING]
    assert steps[-1].done == steps[-1].total == made.job.plan.weights
    assert made.summary.file_bytes == out.stat().st_size == made.job.plan.file_bytes
    assert made.manifest is not None
    assert made.manifest.files[0].file.sha256 == hashlib.sha256(out.read_bytes()).hexdigest()
    assert capsys.readouterr() == ("", "")


def test_what_the_callback_raises_ends_it_and_the_work_is_kept(out: Path) -> None:
    heard: list[Event] = []
    left = 30

    def press(event: Event) -> None:
        nonlocal left
        heard.append(event)
        if isinstance(event, Progress) and event.activity is Activity.QUANTIZING:
            left -= 1
            if not left:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(planned(out), How(kernels="ggml"), press)
    ended, interrupted, kept = heard[-3:]
    assert (ended, interrupted) == (Ended(Activity.QUANTIZING), Interrupted())
    assert isinstance(kept, Unfinished)
    assert 0 < kept.share < 1
    assert not out.exists()
    again: list[Event] = []
    make(planned(out), How(kernels="ggml"), again.append)
    assert any(isinstance(event, Said) and "going on at" in event.text for event in again)
    assert out.exists()


def test_a_modelfile_that_is_there_stays(out: Path) -> None:
    beside = out.with_name("demo.Modelfile")
    beside.write_text("mine")
    heard: list[Event] = []
    make(planned(out), How(), heard.append)
    assert Kept(beside) in heard
    assert beside.read_text() == "mine"


def test_a_source_answers_for_itself(out: Path) -> None:
    checkpoint = open_source("demo")
    assert isinstance(checkpoint, CheckpointSource)
    make(planned(out, "BF16"), How(), lambda event: None)
    gguf = open_source(str(out))
    assert isinstance(gguf, GgufSource)
    assert (checkpoint.hub, gguf.hub) == (None, None)
    assert gguf.shards == (out,)
    assert gguf.files() == [out]
    assert checkpoint.folder / "config.json" in checkpoint.files()
    assert {tensor.name for tensor in checkpoint.convert().tensors} == {
        tensor.name for tensor in gguf.convert().tensors
    }
    for source in (checkpoint, gguf):
        assert source.supply(lambda event: None) is None
        assert source.bring(lambda event: None) == {}
        assert list(source.announcements()) == []
        assert source.to_json() == {}
        assert source.identity(source.shards[0])
        with pytest.raises(UsageError, match="--stream"):
            source.streamed(out)


def test_verifying_counts_all_bytes(out: Path) -> None:
    make(planned(out), How(), lambda event: None)
    heard: list[Event] = []
    found = verify_file(out, heard.append, source="demo")
    assert found.ok
    steps = [event for event in heard if isinstance(event, Progress)]
    # Of the source a sample comes on top.
    assert steps[-1].done >= out.stat().st_size
    with pytest.raises(UsageError, match="--all, --imatrix and --lora go with --source"):
        verify_file(out, heard.append, everything=True)


def test_no_job_knows_the_terminal() -> None:
    import subprocess

    program = (
        "import pkgutil, sys, importlib, qwq_gguf.jobs as jobs\n"
        "for one in pkgutil.iter_modules(jobs.__path__):\n"
        "    importlib.import_module(f'qwq_gguf.jobs.{one.name}')\n"
        "sys.exit(bool({'typer', 'rich', 'qwq_gguf.cli'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
