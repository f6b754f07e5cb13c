"""Whether everything fits is known before anything is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from qwq_gguf.errors import OutputError
from qwq_gguf.quantization.writing import free_space as space
from qwq_gguf.quantization.writing.free_space import check_free_space


def test_two_that_fit_only_alone(tmp_path: Path) -> None:
    half = shutil.disk_usage(tmp_path).free * 6 // 10
    check_free_space({tmp_path / "a": half, tmp_path / "b": 0})
    with pytest.raises(OutputError, match="too small for all of them") as caught:
        check_free_space({tmp_path / "a": half, tmp_path / "b": half})
    assert "2 files" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_too_large(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="disk is too small\n") as caught:
        check_free_space({tmp_path / "a": shutil.disk_usage(tmp_path).free + 10**12})
    assert "for a" in str(caught.value.expected)


def test_disks_are_counted_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    half = shutil.disk_usage(tmp_path).free * 6 // 10
    sizes = {tmp_path / "a" / "x": half, tmp_path / "b" / "x": half}
    with pytest.raises(OutputError):
        check_free_space(sizes)
    monkeypatch.setattr(space, "_disk", lambda folder: hash(folder))
    check_free_space(sizes)
