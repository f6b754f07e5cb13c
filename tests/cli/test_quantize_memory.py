"""`qwq-gguf quantize --max-memory`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.cli.flags.limits import read_memory
from qwq_gguf.quantization.running.budget import DEFAULT_MEMORY, arrange
from support.checkpoints import write_checkpoint

runner = CliRunner()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("models") / "Tiny-1B")


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What runs are allowed, in turn."""
    seen: list[int] = []

    def seeing(limit: int, *rest: Any) -> Any:
        seen.append(limit)
        return arrange(limit, *rest)

    monkeypatch.setattr("qwq_gguf.quantization.running.run.arrange", seeing)
    return seen


def run(*arguments: object) -> Result:
    return runner.invoke(app, ["quantize", *map(str, arguments)])


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (None, None),
        ("512M", 512 << 20),
        ("1G", 1 << 30),
        ("1.5GiB", 3 << 29),
        ("800 mb", 800 << 20),
    ],
)
def test_sizes_are_counted_as_memory_is(size: str | None, expected: int | None) -> None:
    assert read_memory(size) == expected


@pytest.mark.parametrize("size", ["", "0M", "-1G", "512", "512K", "many"])
def test_sizes_that_are_none(size: str) -> None:
    with pytest.raises(typer.BadParameter, match="--max-memory"):
        read_memory(size)


def test_the_limit_reaches_the_run(checkpoint: Path, tmp_path: Path, limits: list[int]) -> None:
    assert run(checkpoint, tmp_path, "-r", "Q8_0").exit_code == 0
    done = run(checkpoint, tmp_path, "-r", "Q8_0", "--force", "--max-memory", "3G")
    assert done.exit_code == 0, done.output
    assert len(limits) == 2
    assert limits[0] >= DEFAULT_MEMORY  # more if the process of the tests is that large
    assert limits[1] == 3 << 30


def test_too_little_says_what_is_enough(checkpoint: Path, tmp_path: Path) -> None:
    done = run(checkpoint, tmp_path, "-r", "Q8_0", "--max-memory", "1M")
    assert done.exit_code == 1
    assert "at least" in done.stderr
    assert "--max-memory" in done.stderr
    assert not list(tmp_path.glob("*.gguf"))
