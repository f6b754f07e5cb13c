"""A store of Ollama's is files, and somebody else wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.cures.ollama_names import OllamaName, parse_name
from qwq_gguf.cures.ollama_store import read_stored, store_folders, stored_names
from qwq_gguf.errors import QwqGgufError
from support.ollama_store import put_model

LIBRARY = ("registry.ollama.ai", "library")
QWQ = OllamaName(*LIBRARY, "qwq", "latest")


@pytest.mark.parametrize(
    ("text", "parts", "shown"),
    [
        ("qwq", (*LIBRARY, "qwq", "latest"), "qwq"),
        ("qwq:32b-q4", (*LIBRARY, "qwq", "32b-q4"), "qwq:32b-q4"),
        ("me/qwq", ("registry.ollama.ai", "me", "qwq", "latest"), "me/qwq"),
        ("hf.co/a/B-GGUF:Q4_K_M", ("hf.co", "a", "B-GGUF", "Q4_K_M"), "hf.co/a/B-GGUF:Q4_K_M"),
        ("host:5000/a/b", ("host:5000", "a", "b", "latest"), "host:5000/a/b"),
    ],
)
def test_names(text: str, parts: tuple[str, ...], shown: str) -> None:
    name = parse_name(text)
    assert name is not None
    assert name.parts == parts
    assert str(name) == shown


@pytest.mark.parametrize(
    "text",
    ["", "/", "..", "a/..", "../../x", "a/b/c/d", "a:b:c", "a b", "qwq:", "x" * 700, "é", "a\n"],
)
def test_what_is_no_name_leads_nowhere(text: str) -> None:
    assert parse_name(text) is None


def test_where_stores_are(tmp_path: Path) -> None:
    assert store_folders({"OLLAMA_MODELS": str(tmp_path)}, tmp_path / "home") == (tmp_path,)
    assert store_folders({}, tmp_path)[0] == tmp_path / ".ollama" / "models"


@pytest.mark.parametrize("linked", [False, True], ids=["manifests", "manifests-v2"])
def test_what_ollama_is_told(linked: bool, tmp_path: Path) -> None:
    weights = tmp_path / "a.gguf"
    weights.write_bytes(b"weights")
    put_model(
        tmp_path,
        weights,
        *QWQ.parts,
        params={"temperature": 0.6},
        template="{{ .Prompt }}",
        config={"parser": "qwen3-thinking"},
        linked=linked,
    )
    found = read_stored(tmp_path, QWQ)
    assert found is not None
    assert found.parts[0].read_bytes() == b"weights"
    assert found.parameters == {"temperature": 0.6}
    assert found.template == "{{ .Prompt }}"
    assert found.parser == "qwen3-thinking"
    assert stored_names(tmp_path) == ("qwq",)
    assert read_stored(tmp_path, OllamaName(*LIBRARY, "other", "latest")) is None


def manifest(tmp_path: Path, value: Any) -> None:
    path = tmp_path.joinpath("manifests", *QWQ.parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")


LAYER = "application/vnd.ollama.image."
ONES = "sha256:" + "1" * 64


@pytest.mark.parametrize(
    "value",
    [
        "",
        "[]",
        "{",
        "{}",
        "[" * 100_000,
        '{"layers": ' + "[" * 70 + "]" * 70 + "}",
        " " * (2 << 20),
        {"layers": []},
        {"layers": [{"mediaType": f"{LAYER}model", "digest": "../../../../etc/passwd"}]},
        {"layers": [{"mediaType": f"{LAYER}model", "digest": f"sha256:{'1' * 63}/"}]},
        {"layers": [{"mediaType": f"{LAYER}model", "digest": 7}]},
        {"layers": [{"mediaType": f"{LAYER}model"}] * 600},
        {
            "layers": [
                {"mediaType": f"{LAYER}{kind}", "digest": ONES} for kind in ("model", "params")
            ]
        },
        {"mediaType": "application/vnd.ollama.manifest.list.v2+json", "manifests": {"a": 1}},
        {
            "mediaType": "application/vnd.ollama.manifest.list.v2+json",
            "manifests": [{"mediaType": "application/vnd.ollama.manifest.list.v2+json"}],
        },
    ],
)
def test_a_hostile_store_is_a_refusal(value: Any, tmp_path: Path) -> None:
    manifest(tmp_path, value)
    with pytest.raises(QwqGgufError) as refused:
        read_stored(tmp_path, QWQ)
    assert refused.value.path is not None


def test_a_pipe_in_the_store_is_not_waited_for(tmp_path: Path) -> None:
    import os

    blob = tmp_path / "blobs" / ONES.replace(":", "-")
    blob.parent.mkdir()
    os.mkfifo(blob)
    kinds = ("model", "params")
    manifest(tmp_path, {"layers": [{"mediaType": LAYER + kind, "digest": ONES} for kind in kinds]})
    with pytest.raises(QwqGgufError, match="a pipe"):
        read_stored(tmp_path, QWQ)


def test_a_link_that_goes_round_ends(tmp_path: Path) -> None:
    folder = tmp_path / "manifests" / "host"
    folder.mkdir(parents=True)
    (folder / "again").symlink_to(tmp_path / "manifests", target_is_directory=True)
    assert stored_names(tmp_path) == ()
