"""Room is reserved where the filesystem can, and its absence is known at once."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwq_gguf.files import preallocation as module
from qwq_gguf.files.preallocation import allocated, reserve


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    opened = os.open(tmp_path / "x", os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


def answers(monkeypatch: pytest.MonkeyPatch, *problems: int) -> list[tuple[int, ...]]:
    """Let the system call fail with these, one after the other, then succeed."""
    calls: list[tuple[int, ...]] = []

    def call(*arguments: int) -> int:
        calls.append(arguments[1:])
        if len(calls) > len(problems):
            return 0
        ctypes.set_errno(problems[len(calls) - 1])
        return -1

    monkeypatch.setattr(module, "_fallocate", lambda: call)
    return calls


def test_a_file_has_its_size_and_its_room(descriptor: int) -> None:
    reserve(descriptor, 1 << 20)
    status = os.fstat(descriptor)
    assert status.st_size == 1 << 20
    assert os.pread(descriptor, 10, 1000) == bytes(10)
    assert allocated(status) in (0, 1 << 20)  # what the filesystem of the tests can


def test_what_is_there_stays(descriptor: int) -> None:
    os.write(descriptor, b"abc")
    reserve(descriptor, 5000)
    assert os.pread(descriptor, 5, 0) == b"abc\0\0"


@pytest.mark.parametrize("problem", [errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_a_filesystem_that_cannot_is_none_the_worse(
    descriptor: int, monkeypatch: pytest.MonkeyPatch, problem: int
) -> None:
    assert answers(monkeypatch, problem) == []
    reserve(descriptor, 1 << 20)
    assert os.fstat(descriptor).st_size == 1 << 20


def test_a_signal_is_no_answer(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = answers(monkeypatch, errno.EINTR, errno.EINTR)
    reserve(descriptor, 77)
    assert calls == [(0, 0, 77)] * 3


def test_a_full_disk_is(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, errno.ENOSPC)
    with pytest.raises(OSError, match="No space left") as caught:
        reserve(descriptor, 77)
    assert caught.value.errno == errno.ENOSPC


def test_nothing_is_reserved_of_nothing(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = answers(monkeypatch)
    reserve(descriptor, 0)
    monkeypatch.setattr(module, "_fallocate", lambda: None)  # another system
    reserve(descriptor, 9)
    assert calls == []
