"""What is a name on the Hub, and what is a path."""

from __future__ import annotations

import pytest

from qwq_gguf.checkpoint.hub.name import HubName, parse_hub_name
from qwq_gguf.errors import SourceError

QWQ = "Qwen/QwQ-32B"
MIRROR = "https://mirror.example:8080/hub"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (QWQ, HubName(QWQ)),
        ("Qwen/QwQ-32B@v1.0", HubName(QWQ, "v1.0")),
        ("Qwen/QwQ-32B@refs/pr/3", HubName(QWQ, "refs/pr/3")),
        ("Qwen/QwQ-32B-GGUF:Q4_K_M", HubName("Qwen/QwQ-32B-GGUF", tag="Q4_K_M")),
        ("Qwen/QwQ-32B-GGUF:latest", HubName("Qwen/QwQ-32B-GGUF")),
        ("Qwen/QwQ-32B-GGUF@main:q8_0", HubName("Qwen/QwQ-32B-GGUF", "main", "q8_0")),
        ("a/b:sub/b-Q8_0.gguf", HubName("a/b", tag="sub/b-Q8_0.gguf")),
        ("ai-21/R1-Distill-1.5B", HubName("ai-21/R1-Distill-1.5B")),
        ("_a/b_", HubName("_a/b_")),
        ("hf.co/Qwen/QwQ-32B", HubName(QWQ, explicit=True)),
        ("HF.co/Qwen/QwQ-32B:Q8_0", HubName(QWQ, tag="Q8_0", explicit=True)),
        ("huggingface.co/Qwen/QwQ-32B/", HubName(QWQ, explicit=True)),
        ("https://huggingface.co/Qwen/QwQ-32B", HubName(QWQ, explicit=True)),
        ("https://huggingface.co/Qwen/QwQ-32B?library=gguf#x", HubName(QWQ, explicit=True)),
        ("http://hf.co/Qwen/QwQ-32B@main", HubName(QWQ, "main", explicit=True)),
        ("hf://Qwen/QwQ-32B", HubName(QWQ, explicit=True)),
        ("hf://models/Qwen/QwQ-32B@x", HubName(QWQ, "x", explicit=True)),
        ("https://huggingface.co/Qwen/QwQ-32B/tree/main", HubName(QWQ, "main", explicit=True)),
        (
            "https://huggingface.co/Qwen/QwQ-32B/tree/refs%2Fpr%2F1",
            HubName(QWQ, "refs/pr/1", explicit=True),
        ),
        (
            "https://huggingface.co/Qwen/QwQ-32B/blob/main/config.json",
            HubName(QWQ, "main", explicit=True),
        ),
        (
            "https://huggingface.co/a/b-GGUF/resolve/main/b%20c-Q4_K_M.gguf?download=true",
            HubName("a/b-GGUF", "main", "b c-Q4_K_M.gguf", explicit=True),
        ),
        ("https://mirror.example:8080/hub/Qwen/QwQ-32B", HubName(QWQ, explicit=True)),
        ("mirror.example:8080/hub/Qwen/QwQ-32B", HubName(QWQ, explicit=True)),
        ("hf.co/a/b.gguf", HubName("a/b.gguf", explicit=True)),
    ],
)
def test_a_name(text: str, name: HubName) -> None:
    assert parse_hub_name(text, MIRROR) == name


def test_its_parts() -> None:
    name = HubName(QWQ)
    assert (name.organization, name.name) == ("Qwen", "QwQ-32B")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "QwQ-32B",
        "gpt2",
        "/abs/folder",
        "/abs",
        "./Qwen/QwQ-32B",
        "../QwQ-32B",
        "~/QwQ-32B",
        "Qwen/QwQ-32B/",
        "models/big/QwQ-32B",
        "models/qwq.gguf",
        "models/qwq.GGUF",
        "models/model.safetensors",
        "recipes/mine.toml",
        "Qwen//QwQ",
        "Qwen/.hidden",
        "Qwen/QwQ..32B",
        "Qwen/QwQ--32B",
        "-x/y",
        "x/y.git",
        "C:\\models\\qwq",
        "C:/models/qwq",
        "Qwen/Q wQ",
        "Qwen/QwQ\n",
        "Qwén/QwQ",
        "a" * 97 + "/b",
    ],
)
def test_a_path(text: str) -> None:
    assert parse_hub_name(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "hf.co/Qwen",
        "hf.co/",
        "https://huggingface.co/",
        "https://huggingface.co/datasets/a/b",
        "https://huggingface.co/spaces/a/b",
        "https://huggingface.co/Qwen/QwQ-32B/tree/main/sub",
        "https://huggingface.co/Qwen/QwQ-32B/tree",
        "https://huggingface.co/Qwen/QwQ-32B/discussions/3",
        "https://example.com/Qwen/QwQ-32B",
        "https://huggingface.co.evil.example/Qwen/QwQ-32B",
        "ftp://huggingface.co/Qwen/QwQ-32B",
        "hf.co/../etc/passwd",
        "hf.co/a/b/../../c",
        "hf.co/a/..%2f",
    ],
)
def test_an_address_that_names_no_model(text: str) -> None:
    with pytest.raises(SourceError, match="names no model"):
        parse_hub_name(text)


@pytest.mark.parametrize(
    "revision", ["", "a..b", "../x", "/x", "x/", "a//b", "a/./b", "a b", "a\n", "x" * 256, "-x"]
)
def test_what_is_no_revision(revision: str) -> None:
    with pytest.raises(SourceError, match="no revision"):
        parse_hub_name(f"Qwen/QwQ-32B@{revision}")


@pytest.mark.parametrize("tag", ["", "..", "../x.gguf", "/x", "a\nb", "x" * 256])
def test_what_is_no_tag(tag: str) -> None:
    with pytest.raises(SourceError, match="no quant"):
        parse_hub_name(f"Qwen/QwQ-32B-GGUF:{tag}")
