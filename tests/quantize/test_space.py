"""Whether everything fits is known before anything is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from qwq_gguf.errors import OutputError
from qwq_gguf.quantize import space
from qwq_gguf.quantize.space import check_outputs


def test_two_that_fit_only_alone(tmp_path: Path) -> None:
    half = shutil.disk_usage(tmp_path).free * 6 // 10
    check_outputs({tmp_path / "a": half}, force=False)
    with pytest.raises(OutputError, match="too small for all of them") as caught:
        check_outputs({tmp_path / "a": half, tmp_path / "b": half}, force=False)
    assert "2 files" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_each_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"")
    sizes = {tmp_path / "a": 1, tmp_path / "b": 1}
    with pytest.raises(OutputError, match="exists already"):
        check_outputs(sizes, force=False)
    check_outputs(sizes, force=True)


def test_disks_are_counted_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    half = shutil.disk_usage(tmp_path).free * 6 // 10
    sizes = {tmp_path / "a" / "x": half, tmp_path / "b" / "x": half}
    with pytest.raises(OutputError):
        check_outputs(sizes, force=False)
    monkeypatch.setattr(space, "_disk", lambda folder: hash(folder))
    check_outputs(sizes, force=False)
