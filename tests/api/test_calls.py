"""What went wrong is told in the words of a call."""

from __future__ import annotations

from pathlib import Path

import pytest

import qwq_gguf
from qwq_gguf.api.calls import in_python
from qwq_gguf.errors import OutputError, UsageError


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        (
            "choose another name, or --force to replace it",
            "choose another name, or force=True to replace it",
        ),
        ("--max-memory 512M", "max_memory='512M'"),
        ("try a smaller one: -c 4096", "try a smaller one: context=4096"),
        ("name it with --imatrix", "name it with imatrix="),
        ("--no-resume, to start over", "resume=False, to start over"),
        ("a lower --limit", "a lower limit="),
        ("qwq-gguf quantize x --force", "qwq-gguf quantize x --force"),
        ("read a-c and well--known words", "read a-c and well--known words"),
    ],
)
def test_a_hint(hint: str, told: str) -> None:
    with pytest.raises(OutputError) as caught, in_python():
        raise OutputError("no", hint=hint)
    assert caught.value.hint == told


def test_a_wrong_use() -> None:
    with pytest.raises(UsageError) as caught, in_python():
        raise UsageError("--think and --thought-budget 0 contradict each other")
    assert caught.value.message == "think and thought_budget 0 contradict each other"


def test_a_file_that_is_there(tmp_path: Path) -> None:
    taken = tmp_path / "demo.gguf"
    taken.write_bytes(b"mine")
    with pytest.raises(OutputError) as caught:
        qwq_gguf.quantize("demo", taken)
    assert "force=True" in (caught.value.hint or "")
    assert "--" not in str(caught.value)
