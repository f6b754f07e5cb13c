"""Small files appear whole or not at all, alone or together, and never through a link."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qwq_gguf.errors import OutputError
from qwq_gguf.files.naming import open_descriptor, refuse_sources, temporary
from qwq_gguf.files.writing import write_descriptor, write_file, write_files


def tree(folder: Path) -> dict[str, str]:
    """Every file below, with its content; of a link, where it leads."""
    return {
        str(path.relative_to(folder)): f"-> {path.readlink()}"
        if path.is_symlink()
        else path.read_bytes().decode("utf-8", "surrogateescape")
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or not path.is_dir()
    }


def failing(at: int, real: Callable[..., object], error: BaseException) -> Callable[..., object]:
    """`real`, but for its call number `at`."""
    calls = [0]

    def call(*arguments: object, **named: object) -> object:
        calls[0] += 1
        if calls[0] == at:
            raise error
        return real(*arguments, **named)

    return call


ERRORS = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EIO, "Input/output error"),
    KeyboardInterrupt(),
]


@pytest.mark.parametrize("error", ERRORS, ids=["full", "EIO", "ctrl-c"])
@pytest.mark.parametrize("force", [False, True], ids=["fresh", "force"])
@pytest.mark.parametrize(
    ("owner", "step"),
    [(os, "open"), (os, "write"), (os, "fsync"), (os, "link"), (Path, "replace"), (Path, "mkdir")],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_whatever_fails_everything_is_as_it_was(
    owner: object,
    step: str,
    force: bool,
    error: BaseException,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {tmp_path / "out" / name: f"new {name}" for name in ("a", "sub/b", "sub/c")}
    if force:
        for path in list(files)[:2]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"old {path.name}")
    before = tree(tmp_path)
    for at in range(1, 40):
        with monkeypatch.context() as patch:
            patch.setattr(owner, step, failing(at, getattr(owner, step), error))
            try:
                write_files(files, force=force, make_folders=True)
            except (OutputError, KeyboardInterrupt):
                assert tree(tmp_path) == before
                assert (tmp_path / "out").exists() is force
                continue
        break
    else:
        pytest.fail("it never ends well")
    assert tree(tmp_path) == {f"out/{p.relative_to(tmp_path / 'out')}": t for p, t in files.items()}


def test_a_limit_of_file_sizes_keeps_the_old_files(tmp_path: Path) -> None:
    """A real one: the kernel refuses the write in its middle."""
    files = {tmp_path / "a": "x" * 100, tmp_path / "b": "x" * 100_000}
    (tmp_path / "a").write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OutputError, match="larger than a file may be") as caught:
            write_files(files, force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert "--split-max-size" not in str(caught.value), "that is for models"
    assert tree(tmp_path) == {"a": "old"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real filesystem of 64 KiB, where one may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        made = subprocess.run(["mount", *options], capture_output=True, check=False)
    except OSError:
        pytest.skip("there is no mount")
    if made.returncode:
        pytest.skip("only a superuser may mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_the_old_files(small_disk: Path) -> None:
    write_file(small_disk / "a", "old")
    with pytest.raises(OutputError, match="the disk is full") as caught:
        write_files({small_disk / "a": "new", small_disk / "b": b"x" * 100_000}, force=True)
    assert caught.value.found == "0 B free"
    assert tree(small_disk) == {"a": "old"}


def test_nothing_is_replaced_without_force(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        write_files({tmp_path / "a": "new", tmp_path / "b": "new"})
    assert tree(tmp_path) == {"b": "precious"}


@pytest.mark.parametrize("links", [True, False])
def test_what_is_made_meanwhile_stays(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def meanwhile(source: Path, target: Path, **named: bool) -> None:
        if target.name == "b":
            target.write_text("theirs")
        if not links:
            raise PermissionError(1, "Operation not permitted")
        real(source, target, **named)

    monkeypatch.setattr(os, "link", meanwhile)
    with pytest.raises(OutputError, match="exists already"):
        write_files({tmp_path / "a": "new", tmp_path / "b": "new"})
    assert tree(tmp_path) == {"b": "theirs"}


@pytest.mark.parametrize("target", ["real", "gone"])
def test_a_link_is_in_the_way_or_replaced_and_never_followed(target: str, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("precious")
    link = tmp_path / "link"
    link.symlink_to(target)
    for files in ({link: "new"}, {tmp_path / "other": "new", link: "new"}):
        with pytest.raises(OutputError, match="exists already"):
            write_files(files)
        assert tree(tmp_path) == {"link": f"-> {target}", "real": "precious"}
    write_file(link, "new", force=True)
    assert tree(tmp_path) == {"link": "new", "real": "precious"}


def test_a_link_to_itself(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(link)
    with pytest.raises(OutputError, match="exists already"):
        write_file(link, "new")
    write_file(link, "new", force=True)
    assert link.read_text() == "new"


def test_a_link_that_waits_under_the_other_name_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("precious")
    temporary(tmp_path / "a").symlink_to("real")
    write_file(tmp_path / "a", "new")
    assert tree(tmp_path) == {"a": "new", "real": "precious"}


def test_what_is_no_ordinary_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    for path in (tmp_path / "fifo", tmp_path / "link", Path(os.devnull)):
        with pytest.raises(OutputError, match="no ordinary file"):
            write_file(path, "x", force=True)
    with pytest.raises(OutputError, match="is a folder"):
        write_file(tmp_path, "x", force=True)
    with pytest.raises(OutputError, match="folder does not exist"):
        write_file(tmp_path / "no" / "x", "x")
    with pytest.raises(OutputError, match="cannot be written"):
        write_files({tmp_path / "fifo" / "x": "x"}, make_folders=True)


def test_a_folder_that_takes_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutputError, match="cannot be written: Permission denied"):
        write_file(tmp_path / "a", "x")


def test_permissions_stay_and_new_files_have_the_usual_ones(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text("old")
    old.chmod(0o604)
    write_files({old: "new", tmp_path / "fresh": "new"}, force=True)
    mask = os.umask(0)
    os.umask(mask)
    assert old.stat().st_mode & 0o777 == 0o604
    assert (tmp_path / "fresh").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("name", [b"\xff\xfe", b"-rf", b"a\nb", b"*[a]?", b"n" * 255])
def test_names_of_every_kind(name: bytes, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(name)
    write_file(path, "one")
    write_file(path, "two", force=True)
    assert [os.fsencode(each) for each in os.listdir(tmp_path)] == [name]  # noqa: PTH208
    assert path.read_text() == "two"


def test_text_that_is_no_text_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    files = {tmp_path / "a": "fine", tmp_path / "b": "FROM ./\udcff.gguf"}
    with pytest.raises(OutputError, match="not UTF-8") as caught:
        write_files(files)
    assert "udcff" in str(caught.value)
    assert tree(tmp_path) == {}


def test_what_a_killed_process_left_goes_and_a_running_ones_stays(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    (tmp_path / f".a.{int(done.stdout)}.partial").write_text("dead")
    (tmp_path / f".a.{int(done.stdout)}.before").write_text("the only one")
    (tmp_path / f".a.{os.getppid()}.partial").write_text("alive")
    (tmp_path / f".ab.{int(done.stdout)}.partial").write_text("another's")
    write_file(tmp_path / "a", "new")
    assert sorted(tree(tmp_path).values()) == ["alive", "another's", "new", "the only one"]
    write_file(tmp_path / "a", "newer", force=True)
    assert sorted(tree(tmp_path).values()) == ["alive", "another's", "newer"]


def test_an_output_that_is_a_source_is_refused_by_any_name(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("x")
    (tmp_path / "hard").hardlink_to(tmp_path / "source")
    (tmp_path / "soft").symlink_to("source")
    for name in ("source", "hard", "soft"):
        with pytest.raises(OutputError, match="made from"):
            refuse_sources([tmp_path / name], [tmp_path / "gone", tmp_path / "source"])
    refuse_sources([tmp_path / "new"], [tmp_path / "gone", tmp_path / "source"])


def test_descriptors_that_are_open_are_written_to_as_they_are() -> None:
    reader, writer = os.pipe()
    try:
        path = Path(f"/dev/fd/{writer}")
        number = open_descriptor(path)
        assert number == writer
        write_descriptor(number, "text", path)
        assert os.read(reader, 10) == b"text"
    finally:
        os.close(reader)
        os.close(writer)
    assert open_descriptor(Path("/dev/stdout")) == 1
    assert open_descriptor(Path("stdout")) is None
    with pytest.raises(OutputError, match="cannot be written"):
        open_descriptor(Path("/dev/fd/999999"))
