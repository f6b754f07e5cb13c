"""An output appears whole or not at all."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from pathlib import Path

import pytest

from qwq_gguf.errors import OutputError
from qwq_gguf.files.naming import check_path
from qwq_gguf.files.sized import NewFile, PartialFile


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_appears_under_its_name_when_committed(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    with NewFile(path, 8) as file:
        file.write(4, b"efgh")
        file.write(0, memoryview(b"abcd"))
        assert not path.exists()
        file.commit()
    assert path.read_bytes() == b"abcdefgh"
    assert names(tmp_path) == ["a.gguf"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_and_raise(file: NewFile, error: type[BaseException]) -> None:
    file.write(0, b"12345678")
    raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_nothing_stays_after_an_exception(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(b"old")
    file = NewFile(path, 8, force=True)
    with pytest.raises(error), file:
        _write_and_raise(file, error)
    assert names(tmp_path) == ["a.gguf"]
    assert path.read_bytes() == b"old"


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already") as caught, NewFile(path, 3):
        pass
    assert "--force" in str(caught.value)
    with NewFile(path, 3, force=True) as file:
        file.write(0, b"new")
        file.commit()
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("links", [True, False])
def test_a_file_made_meanwhile_is_kept(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", _no_links)
    path = tmp_path / "a.gguf"
    with NewFile(path, 3) as file:
        path.write_bytes(b"theirs")
        with pytest.raises(OutputError, match="exists already"):
            file.commit()
    assert names(tmp_path) == ["a.gguf"]
    assert path.read_bytes() == b"theirs"


def _no_links(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_a_filesystem_without_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", _no_links)
    with NewFile(tmp_path / "a.gguf", 3) as file:
        file.write(0, b"new")
        file.commit()
    assert names(tmp_path) == ["a.gguf"]


def test_a_folder_is_no_output(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"), NewFile(tmp_path, 3, force=True):
        pass
    with (
        pytest.raises(OutputError, match="folder does not exist") as caught,
        NewFile(tmp_path / "b" / "a.gguf", 3),
    ):
        pass
    assert "mkdir" in str(caught.value)


def test_what_is_no_ordinary_file_is_never_replaced(tmp_path: Path) -> None:
    """A superuser's `--force` on /dev/null would break the system."""
    os.mkfifo(tmp_path / "a.gguf")
    for path in (tmp_path / "a.gguf", Path(os.devnull)):
        with pytest.raises(OutputError, match="no ordinary file"):
            check_path(path, force=True)
    assert (tmp_path / "a.gguf").is_fifo()


def test_a_link_that_leads_nowhere_is_a_file_that_exists(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.symlink_to("nowhere")
    with pytest.raises(OutputError, match="exists already"):
        check_path(path, force=False)
    with NewFile(path, 3, force=True) as file:
        file.write(0, b"new")
        file.commit()
    assert path.read_bytes() == b"new"
    assert not path.is_symlink()


def test_a_small_disk_is_noticed_first(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    with (
        pytest.raises(OutputError, match="too small") as caught,
        NewFile(tmp_path / "a.gguf", free + 10**12),
    ):
        pass
    assert "iB free" in str(caught.value.found)
    assert names(tmp_path) == []


def test_a_limit_of_file_sizes_keeps_the_old_file_and_is_named(tmp_path: Path) -> None:
    """As of FAT: the disk is not full, so making space would not help."""
    path = tmp_path / "a.gguf"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with (
            pytest.raises(OutputError, match="larger than a file may be") as caught,
            NewFile(path, 1 << 20, force=True),
        ):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert "1.00 MiB" in str(caught.value)
    assert "--split-max-size" in str(caught.value)
    assert names(tmp_path) == ["a.gguf"]
    assert path.read_bytes() == b"old"


def test_a_name_that_no_filesystem_takes_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"), NewFile(tmp_path / ("n" * 256), 3):
        pass


def test_a_name_as_long_as_names_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 127 + "n")  # a temporary name made of all of it would be too long
    with NewFile(path, 3) as file:
        file.write(0, b"abc")
        file.commit()
    assert names(tmp_path) == [path.name]


def test_what_replaces_a_file_has_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with NewFile(path, 3, force=True) as file:
        file.write(0, b"new")
        file.commit()
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o640)


@pytest.mark.parametrize("offset, data", [(-1, b"a"), (0, b"abcd"), (3, b"a")])
def test_writing_outside_is_a_mistake(tmp_path: Path, offset: int, data: bytes) -> None:
    with pytest.raises(ValueError, match="outside"), NewFile(tmp_path / "a", 3) as file:
        file.write(offset, data)


def test_a_late_writer_cannot_write_elsewhere(tmp_path: Path) -> None:
    """After the end the descriptor's number may belong to another file."""
    with NewFile(tmp_path / "a", 3) as file:
        pass
    with pytest.raises(OutputError, match="cannot be written"):
        file.write(0, b"abc")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("step", ["reopen", "adopt"])
def test_a_pipe_under_the_name_of_an_unfinished_file_is_refused(tmp_path: Path, step: str) -> None:
    os.mkfifo(tmp_path / "a.gguf")
    os.mkfifo(tmp_path / ".a.partial")
    whole = PartialFile(tmp_path / "a.gguf", 0, tmp_path / ".a.partial")
    if step == "adopt":  # opening it to read would wait for a writer
        with pytest.raises(OutputError, match="a pipe"):
            whole.adopt()
    else:
        with pytest.raises(OutputError, match="a pipe"):
            whole.reopen()
