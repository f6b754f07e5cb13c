"""A GGUF by any of its names: a file, or one of a repository on the Hub."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qwq_gguf.checkpoint import fetch_gguf
from qwq_gguf.checkpoint.hub import peek as hub_peek
from qwq_gguf.checkpoint.hub.fetch import DownloadProgress
from qwq_gguf.checkpoint.hub.peek import peek_gguf
from qwq_gguf.checkpoint.resolve import locate_gguf
from qwq_gguf.errors import (
    GgufError,
    HubConnectionError,
    HubNotFoundError,
    HubOfflineError,
    NotAGgufError,
    SourceError,
)
from qwq_gguf.gguf_file import encode_header, read_gguf
from qwq_gguf.metadata import KeyValue, ValueType, array, text
from support.hub import Fault, LoopbackHub

REPO = "bartowski/QwQ-Tiny-GGUF"
SPLIT = ["m-BF16-00001-of-00002.gguf", "m-BF16-00002-of-00002.gguf"]


def gguf(*metadata: KeyValue, weights: int = 0) -> bytes:
    header = encode_header([text("general.architecture", "qwen2"), *metadata], [])
    return header + bytes(weights)


@pytest.fixture
def filled(hub: LoopbackHub) -> LoopbackHub:
    names = ["m-Q4_K_M.gguf", "m-Q8_0.gguf", *SPLIT]
    content: dict[str, bytes | Path] = {
        name: gguf(text("general.name", name), weights=100) for name in names
    }
    hub.add(REPO, {**content, "README.md": b"# m"})
    return hub


# ------------------------------------------------------------------ on the disk


def test_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.gguf").write_bytes(gguf())
    found = locate_gguf("x.gguf")
    assert (found.path, found.parts, found.hub) == (Path("x.gguf"), (Path("x.gguf"),), None)
    # A blob, or a file that someone renamed, is looked into rather than judged by its name.
    Path("blob").write_bytes(gguf())
    assert locate_gguf(Path("blob")).path == Path("blob")


def test_any_part_names_a_split_model(tmp_path: Path) -> None:
    for name in SPLIT:
        (tmp_path / name).write_bytes(gguf())
    found = locate_gguf(tmp_path / SPLIT[1])
    assert found.path == tmp_path / SPLIT[0]
    assert found.parts == (tmp_path / SPLIT[0], tmp_path / SPLIT[1])
    (tmp_path / SPLIT[0]).unlink()
    with pytest.raises(NotAGgufError, match="split model are missing") as caught:
        locate_gguf(tmp_path / SPLIT[1])
    assert (caught.value.found, caught.value.expected) == ("1 of 2", SPLIT[0])


def test_a_link_into_the_cache_keeps_its_name(tmp_path: Path) -> None:
    """llama.cpp looks for the other parts beside the name it was given."""
    (tmp_path / "snapshot").mkdir()
    for number, name in enumerate(SPLIT):
        (tmp_path / f"blob{number}").write_bytes(gguf())
        (tmp_path / "snapshot" / name).symlink_to(tmp_path / f"blob{number}")
    found = locate_gguf(str(tmp_path / "snapshot" / SPLIT[0]))
    assert [part.name for part in found.parts] == SPLIT


def test_what_is_no_gguf_says_what_it_is(tmp_path: Path, hub: LoopbackHub) -> None:
    def refused(source: str | Path) -> NotAGgufError:
        with pytest.raises(NotAGgufError) as caught:
            locate_gguf(source)
        return caught.value

    assert "qwq-gguf quantize demo" in (refused("demo").hint or "")
    assert "no such file" in refused(tmp_path / "none.gguf").message
    assert "no such file" in refused("models/none.gguf").message
    assert "no such file" in refused("QwQ-32B").message
    assert "not a path" in refused("x\0y.gguf").message

    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text("{}")
    (checkpoint / "model.safetensors").write_bytes(b"")
    assert f"qwq-gguf quantize {checkpoint}" in (refused(checkpoint).hint or "")
    shard = refused(checkpoint / "model.safetensors")
    assert shard.hint == f"qwq-gguf quantize {checkpoint}"

    (tmp_path / "b.gguf").write_bytes(gguf())
    (tmp_path / "a.gguf").write_bytes(gguf())
    folder = refused(tmp_path)
    assert folder.expected == "one of its files: a.gguf, b.gguf"
    assert folder.hint == str(tmp_path / "a.gguf")
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty").hint is None
    assert hub.requests == []


def test_a_file_has_no_revision(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(gguf())
    with pytest.raises(SourceError, match="revisions"):
        locate_gguf(tmp_path / "x.gguf", revision="main")


# ------------------------------------------------------------------ on the Hub


@pytest.mark.parametrize(
    ("name", "file"),
    [
        (REPO, "m-Q4_K_M.gguf"),
        (f"{REPO}:q8_0", "m-Q8_0.gguf"),
        (f"hf.co/{REPO}:Q8_0", "m-Q8_0.gguf"),
        (f"{REPO}:m-q8_0.gguf", "m-Q8_0.gguf"),
        (f"https://huggingface.co/{REPO}/blob/main/m-Q8_0.gguf", "m-Q8_0.gguf"),
    ],
)
def test_one_file_is_fetched(filled: LoopbackHub, name: str, file: str) -> None:
    reports: list[DownloadProgress] = []
    found = locate_gguf(name, progress=reports.append)
    assert (found.path.name, len(found.parts), found.source) == (file, 1, name)
    assert read_gguf(found.path).text("general.name") == file
    assert reports[-1].done == reports[-1].total == found.path.stat().st_size
    assert {request.path.split("?")[-1] for request in filled.seen("file=")} == {f"file={file}"}


def test_all_parts_are_fetched_and_the_first_is_named(filled: LoopbackHub) -> None:
    found = locate_gguf(f"{REPO}:bf16")
    assert [part.name for part in found.parts] == SPLIT
    assert found.path == found.parts[0]
    assert all(part.is_file() for part in found.parts)


def test_an_absent_quant_lists_those_there_are(filled: LoopbackHub) -> None:
    with pytest.raises(NotAGgufError) as caught:
        locate_gguf(f"{REPO}:Q2_K")
    assert "Q4_K_M" in (caught.value.expected or "")
    assert "BF16" in (caught.value.expected or "")


def test_nothing_need_be_fetched(filled: LoopbackHub) -> None:
    found = locate_gguf(REPO, fetch=False)
    assert not found.path.exists()
    assert len(filled.requests) == 1
    fetch_gguf(found)
    assert found == locate_gguf(REPO)
    assert found.path.is_file()


def test_a_checkpoint_on_the_hub(hub: LoopbackHub) -> None:
    hub.add("Qwen/QwQ", {"config.json": b"{}", "model.safetensors": b""})
    with pytest.raises(NotAGgufError, match="is a checkpoint") as caught:
        locate_gguf("Qwen/QwQ")
    assert "qwq-gguf quantize Qwen/QwQ" in (caught.value.hint or "")
    hub.add("Qwen/data", {"README.md": b""})
    with pytest.raises(NotAGgufError, match="no GGUF file"):
        locate_gguf("Qwen/data")
    with pytest.raises(HubNotFoundError):
        locate_gguf("Qwen/none")


def test_offline(filled: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    online = locate_gguf(f"{REPO}:Q8_0")
    asked = len(filled.requests)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert locate_gguf(f"{REPO}:Q8_0").path == online.path
    with pytest.raises(HubOfflineError):
        locate_gguf(f"{REPO}:Q4_K_M")
    assert len(filled.requests) == asked


def test_a_repository_is_one_revision(filled: LoopbackHub) -> None:
    filled.add(REPO, {"m-Q4_K_M.gguf": gguf(text("general.name", "old"))}, branch="v1")
    for found in (locate_gguf(f"{REPO}@v1"), locate_gguf(REPO, revision="v1")):
        assert read_gguf(found.path).text("general.name") == "old"


# ------------------------------------------------------------------ headers alone


def header_end(path: Path) -> int:
    return read_gguf(path).data_offset


def sparse(path: Path, header: bytes, size: int) -> Path:
    with path.open("wb") as file:
        file.write(header)
        file.truncate(size)
    return path


@pytest.mark.parametrize("first_read", [64, 1000, 1 << 20])
def test_a_header_is_read_without_its_weights(
    hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first_read: int
) -> None:
    monkeypatch.setattr(hub_peek, "_FIRST_READ", first_read)
    words = array("tokenizer.ggml.tokens", ValueType.STRING, [f"w{n}" for n in range(500)])
    header = gguf(words, text("general.name", "huge"))
    hub.add(REPO, {"m-Q8_0.gguf": sparse(tmp_path / "huge.gguf", header, 20 << 30)})
    located = locate_gguf(REPO, fetch=False)
    with peek_gguf(located, header_end) as path:
        found = read_gguf(path)
        assert found.text("general.name") == "huge"
        assert found.file_bytes == 20 << 30
        tokens = found.metadata["tokenizer.ggml.tokens"].value
        assert list(tokens) == [f"w{n}" for n in range(500)]  # type: ignore[arg-type]
        assert path.stat().st_blocks * 512 < 4 << 20
    assert not path.exists()
    assert not located.path.exists()


def test_what_is_here_is_read_here(filled: LoopbackHub, tmp_path: Path) -> None:
    located = locate_gguf(REPO)
    asked = len(filled.requests)
    with peek_gguf(located, header_end) as path:
        assert path == located.path
    assert len(filled.requests) == asked


def test_a_broken_header_is_broken_in_the_end(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_peek, "_FIRST_READ", 32)
    monkeypatch.setattr(hub_peek, "_LAST_READ", 512)
    hub.add(REPO, {"m-Q8_0.gguf": b"GGUF" + b"\xff" * 5000})
    with pytest.raises(GgufError), peek_gguf(locate_gguf(REPO, fetch=False), header_end):
        pytest.fail("there is no header")
    assert [request.span for request in hub.seen("file=")] == [
        "bytes=0-31",
        "bytes=0-127",
        "bytes=0-511",
    ]


def test_a_file_of_another_size_than_listed(filled: LoopbackHub) -> None:
    located = locate_gguf(REPO, fetch=False)
    filled.faults.append(Fault("file=", say_total=50))
    with (
        pytest.raises(HubConnectionError, match="not of the size"),
        peek_gguf(located, header_end),
    ):
        pytest.fail("there is no header")


def test_a_file_that_is_none_is_named_as_on_the_hub(hub: LoopbackHub) -> None:
    """And not by the copy of its header."""
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n"
    hub.add("org/pointer", {"m-Q4_K_M.gguf": pointer})
    located = locate_gguf("org/pointer", fetch=False)
    with (
        pytest.raises(GgufError, match="pointer of git-lfs") as raised,
        peek_gguf(located, lambda path: read_gguf(path).data_offset),
    ):
        pass
    assert raised.value.path == "org/pointer/m-Q4_K_M.gguf"


def test_a_reference_that_is_a_pipe_is_not_waited_for(
    filled: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    located = locate_gguf(REPO, fetch=False)
    assert located.hub is not None
    reference = located.hub.folder.parent.parent / "refs" / "main"
    reference.unlink()
    os.mkfifo(reference)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(HubOfflineError):
        locate_gguf(REPO, fetch=False)
