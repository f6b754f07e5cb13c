"""`modelscope:org/name` where a name of the Hub may stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwq_gguf.checkpoint import fetch_gguf, locate_gguf, names_gguf, open_checkpoint
from qwq_gguf.checkpoint.hub.checkpoint import fetch_weights
from qwq_gguf.checkpoint.hub.name import HubName
from qwq_gguf.checkpoint.modelscope.name import parse_modelscope_name
from qwq_gguf.checkpoint.modelscope.settings import ModelScopeSettings, modelscope_settings
from qwq_gguf.errors import HubError, HubNotFoundError, ShardError, SourceError
from qwq_gguf.verification.record import ShardDigests
from support.checkpoints import write_checkpoint
from support.hub import Fault, LoopbackHub
from support.tiny_gguf import write_random


@pytest.fixture(autouse=True)
def there(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ModelScope is there, and somebody is signed in to the Hub."""
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", hub.url)
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "ms"))
    monkeypatch.delenv("MODELSCOPE_API_TOKEN", raising=False)
    monkeypatch.setenv("HF_TOKEN", hub.good_token)


@pytest.mark.parametrize(
    "text, name",
    [
        ("modelscope:Qwen/QwQ-32B", HubName("Qwen/QwQ-32B", explicit=True)),
        ("ModelScope:Qwen/QwQ-32B@v1", HubName("Qwen/QwQ-32B", "v1", explicit=True)),
        ("modelscope:a/b-GGUF:Q8_0", HubName("a/b-GGUF", tag="Q8_0", explicit=True)),
        ("https://www.modelscope.cn/models/a/b/files", HubName("a/b", explicit=True)),
        ("modelscope.cn/a/b", HubName("a/b", explicit=True)),
        ("Qwen/QwQ-32B", None),
        ("https://huggingface.co/a/b", None),
    ],
)
def test_names(text: str, name: HubName | None) -> None:
    assert parse_modelscope_name(text) == name


@pytest.mark.parametrize("text", ["modelscope:", "modelscope:a", "modelscope:hf.co/a/b"])
def test_names_of_nothing(text: str) -> None:
    with pytest.raises(SourceError):
        parse_modelscope_name(text)


def test_a_checkpoint_comes_whole_and_the_hubs_token_stays(
    hub: LoopbackHub, tmp_path: Path
) -> None:
    folder = write_checkpoint(tmp_path / "Tiny-1B", shards=2)
    commit = hub.add_folder("org/Tiny-1B", folder)
    checkpoint = open_checkpoint("modelscope:org/Tiny-1B")
    assert checkpoint.hub is not None
    assert checkpoint.hub.commit == commit
    assert checkpoint.tensors.keys() == open_checkpoint(folder).tensors.keys()
    fetch_weights(checkpoint)
    assert [path.read_bytes() for path in checkpoint.shards] == [
        path.read_bytes() for path in sorted(folder.glob("*.safetensors"))
    ]
    assert all(path.is_relative_to(tmp_path / "ms") for path in checkpoint.shards)
    assert not (tmp_path / "hf" / "hub").exists()
    assert {request.token for request in hub.requests} == {None}

    class Source:
        name = checkpoint.name
        folder = checkpoint.folder
        shards = checkpoint.shards
        hub = checkpoint.hub

    with ShardDigests(Source()) as digests:
        record = digests.record()
    assert (record.name, record.commit) == ("modelscope:org/Tiny-1B", commit)


def test_other_bytes_than_are_listed_are_refused(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.add_folder("org/Tiny-1B", write_checkpoint(tmp_path / "Tiny-1B"))
    checkpoint = open_checkpoint("modelscope:org/Tiny-1B")
    size = checkpoint.shards[0].name and sum(
        path.stat().st_size for path in (tmp_path / "Tiny-1B").glob("*.safetensors")
    )
    hub.faults.append(Fault("GET /[0-9a-f]{40}/", body=b"x" * int(size)))
    with pytest.raises((HubError, ShardError)):
        fetch_weights(checkpoint)


def test_a_gguf_by_its_tag_and_a_private_one_by_a_token(
    hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_random(tmp_path / "Tiny-Q8_0.gguf")
    hub.add("org/Tiny-GGUF", {path.name: path}, private=True)
    name = "modelscope:org/Tiny-GGUF:Q8_0"
    assert names_gguf(name)
    with pytest.raises(HubNotFoundError, match="private") as caught:
        locate_gguf(name)
    assert "MODELSCOPE_API_TOKEN" in str(caught.value.hint)
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "ms_good")
    located = locate_gguf(name, fetch=False)
    fetch_gguf(located)
    assert located.path.read_bytes() == path.read_bytes()
    assert {request.token for request in hub.requests if request.host == "storage"} == {None}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        {"Code": 404, "Success": False, "Message": "no"},
        {"Data": {"Files": [{"Size": 1}]}},
        {"Data": {"Files": 7}},
        {"Data": None},
    ],
)
def test_no_listing(answer: object) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        modelscope_settings().listing_of(answer, "master")


def test_files_that_lie_elsewhere_are_refused(hub: LoopbackHub) -> None:
    hub.add("org/x", {"../../evil": b"x"})
    with pytest.raises(HubError, match="outside the repository"):
        open_checkpoint("modelscope:org/x")


def test_an_endpoint_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for said in ("ftp://x", "https://", "https://a:b@host"):
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", said)
        with pytest.raises(HubError, match="MODELSCOPE_ENDPOINT"):
            modelscope_settings()


def test_neither_is_shown_in_a_repr() -> None:
    assert "secret" not in repr(ModelScopeSettings("https://x", Path(), token="secret"))
