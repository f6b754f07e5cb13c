"""What `quantize` says of a run that was ended, and of one that goes on with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.cli.terminal import telling
from qwq_gguf.cli.terminal.progress import StreamBar
from qwq_gguf.locks import lock

OUT = "QwQ-Demo-Q8_0.gguf"
UNFINISHED = [f".{OUT}.journal", f".{OUT}.partial"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(
        app, ["quantize", "demo", "-r", "Q8_0", "--kernels", "ggml", *arguments]
    )


def interrupted(*arguments: str, chunks: int = 30) -> Result:
    """Ctrl-C after so many chunks."""
    left = chunks

    def press(*_: Any) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telling, "may_draw", lambda: True)  # else nobody draws a bar
        patch.setattr(StreamBar, "update", press)
        ended = run(*arguments)
    assert ended.exit_code == 130
    return ended


def left(here: Path) -> list[str]:
    return sorted(path.name for path in here.iterdir())


def test_it_says_what_is_kept_and_goes_on(here: Path) -> None:
    assert run("out.gguf", "--no-modelfile").exit_code == 0
    ended = interrupted()
    assert f"{OUT}: " in ended.stderr
    assert "% is done and kept; the same command goes on from there" in ended.stderr
    assert ended.stderr.endswith("Interrupted.\n")
    assert [name for name in left(here) if OUT in name] == UNFINISHED
    done = run()
    assert done.exit_code == 0, done.output
    assert "going on at " in done.stderr
    assert "of an unfinished run in " in done.stderr
    assert " weights, the last " in done.stderr
    assert (here / OUT).read_bytes() == (here / "out.gguf").read_bytes()
    assert not [name for name in left(here) if name.startswith(".")]


def test_another_option_is_refused_and_no_resume_starts_over(here: Path) -> None:
    interrupted("--pure")
    refused = run()
    assert refused.exit_code == 1
    assert "options: pure = false" in refused.stderr
    assert "is kept; the same" not in refused.stderr
    assert left(here) == UNFINISHED
    done = run("--no-resume", "--no-manifest", "--no-modelfile")
    assert done.exit_code == 0, done.output
    assert "going on" not in done.stderr
    assert left(here) == [OUT]


def test_a_dry_run_leaves_it_alone(here: Path) -> None:
    interrupted()
    before = {name: (here / name).read_bytes() for name in UNFINISHED}
    assert run("--dry-run").exit_code == 0
    assert {name: (here / name).read_bytes() for name in UNFINISHED} == before


def test_a_second_run_is_refused(here: Path) -> None:
    interrupted()
    journal = os.open(here / UNFINISHED[0], os.O_RDWR)
    try:
        assert lock(journal)
        refused = run()
    finally:
        os.close(journal)
    assert refused.exit_code == 1
    assert "another run is making this file" in refused.stderr
    assert f"process {os.getpid()}" in refused.stderr


def test_nothing_is_kept_of_a_run_that_had_not_begun(here: Path) -> None:
    (here / OUT).write_bytes(b"old")
    assert run().exit_code == 1
    assert left(here) == [OUT]
