"""The same verbs with names on the Hub."""

from __future__ import annotations

from pathlib import Path

import pytest

import qwq_gguf
from qwq_gguf.jobs.events import Activity, Event, Progress
from support.checkpoints import write_checkpoint
from support.hub import LoopbackHub

REPO = "Qwen/Tiny-1B"
GGUF = "somebody/QwQ-Demo-GGUF"


def test_a_plan_reads_headers_only(hub: LoopbackHub, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "Tiny-1B", shards=2)
    hub.add_folder(REPO, checkpoint)
    planned = qwq_gguf.plan(REPO, "Q8_0")
    assert planned.file_bytes > 0
    assert planned.to_json()["tensors"] == qwq_gguf.plan(checkpoint, "Q8_0").to_json()["tensors"]
    weights = [request for request in hub.seen("file=") if ".safetensors" in str(request)]
    assert weights
    assert all(request.span for request in weights)


def test_streaming_is_the_same_file(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.add_folder(REPO, write_checkpoint(tmp_path / "Tiny-1B", shards=2))
    heard: list[Event] = []
    streamed = qwq_gguf.quantize(
        REPO, tmp_path / "a.gguf", "Q8_0", stream=True, progress=heard.append
    )
    whole = qwq_gguf.quantize(REPO, tmp_path / "b.gguf", "Q8_0")
    assert streamed.path.read_bytes() == whole.path.read_bytes()
    assert any(isinstance(e, Progress) and e.activity is Activity.DOWNLOADING for e in heard)


def test_a_gguf_is_inspected_and_loaded(hub: LoopbackHub, demo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "QwQ-Demo-Q4_K_M.gguf").write_bytes(demo.read_bytes())
    hub.add_folder(GGUF, folder)
    found = qwq_gguf.inspect(f"{GGUF}:Q4_K_M")
    assert found.summary.name == "QwQ Demo"
    assert len(found.summary.metadata["tokenizer.ggml.tokens"].items) == 512
    with qwq_gguf.load(f"{GGUF}:Q4_K_M", context=512) as model:
        assert model.profile.name == "qwq"


def test_nothing_is_published_before_a_yes(
    hub: LoopbackHub, demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # its protocol has no loopback
    to = "me/Demo-GGUF"
    planned = qwq_gguf.publish(demo, to, token=hub.good_token)
    assert planned.sent is None
    assert planned.to_json()["sent"] is None
    assert not hub.requests
    published = qwq_gguf.publish(demo, to, yes=True, private=True, token=hub.good_token)
    assert published.sent is not None
    assert published.card == planned.card
    repository = hub.repositories[to]
    assert repository.private
    there = repository.commits[repository.branches["main"]]
    assert there[demo.name] == demo.read_bytes()
