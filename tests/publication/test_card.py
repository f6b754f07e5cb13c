"""The model card as text: what the Hub reads of it, and what strangers cannot put into it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from qwq_gguf.checkpoint.model_card import read_card
from qwq_gguf.errors import PublishError
from qwq_gguf.profiles import load_profile
from qwq_gguf.publication.model_card import model_card
from qwq_gguf.publication.plan import make_publish_plan
from qwq_gguf.publication.quality import QUALITY_SCHEMA, read_quality
from qwq_gguf.publication.values import Origin, Published, Quality, Quant, Room

COMMIT = "1a2b" * 10
ORIGIN = Origin("Qwen/QwQ-32B", COMMIT, "Q4_K_M", "qwq-gguf 1.0", "qwq.imatrix", ("ab" * 32,))
SMALL = Quant("Q2_K", "Q2_K", ("QwQ-32B-Q2_K.gguf",), 12 << 30, 3.01, quality=Quality(0.2, 0.8))
USUAL = Quant(
    "Q4_K_M",
    "Q4_K_M",
    ("QwQ-32B-Q4_K_M.gguf",),
    19 << 30,
    4.84,
    Room("24 GB", 16384, "q8_0"),
    ORIGIN,
    Quality(0.01234, 0.9512),
    ("QwQ-32B-Q4_K_M.manifest.json", "QwQ-32B-Q4_K_M.ab12cd34.attestation.json"),
)


def published(**values: object) -> Published:
    known = {
        "repo": "me/QwQ-32B-GGUF",
        "name": "QwQ 32B",
        "quants": (USUAL, SMALL),
        "profile": load_profile("qwq"),
        "base": "Qwen/QwQ-32B",
        "commit": COMMIT,
        "license": "apache-2.0",
        "languages": ("en",),
        "thinks": True,
        "context": 131072,
    }
    return Published(**{**known, **values})  # type: ignore[arg-type]


def front(card: str, folder: Path) -> dict[str, object]:
    path = folder / "README.md"
    path.write_text(card)
    return read_card(path)


def test_the_hub_finds_what_it_reads(tmp_path: Path) -> None:
    card = model_card(published())
    found = front(card, tmp_path)
    assert found["base_model"] == "Qwen/QwQ-32B"
    assert found["base_model_relation"] == "quantized"
    assert found["pipeline_tag"] == "text-generation"
    assert found["library_name"] == "gguf"
    assert found["quantized_by"] == "me"
    assert found["license"] == "apache-2.0"
    tags = found["tags"]
    assert isinstance(tags, list)
    assert {"gguf", "imatrix", "reasoning"} <= set(tags)
    rows = [line for line in card.splitlines() if line.startswith("| [Q")]
    assert rows == [
        "| [Q2_K](QwQ-32B-Q2_K.gguf) | 12.0 GiB | 3.01 | 0.20000 | 80.00 % | "
        "no single machine that we know |",
        "| [Q4_K_M](QwQ-32B-Q4_K_M.gguf) | 19.0 GiB | 4.84 | 0.01234 | 95.12 % | "
        "24 GB (16,384 tokens, kept in q8_0) |",
    ]
    for command in (
        "ollama run hf.co/me/QwQ-32B-GGUF:Q4_K_M",
        "lms get me/QwQ-32B-GGUF@q4_k_m",
        "llama-server -hf me/QwQ-32B-GGUF:Q4_K_M",
        "qwq-gguf chat me/QwQ-32B-GGUF:Q4_K_M",
        f"qwq-gguf verify QwQ-32B-Q4_K_M.gguf --source Qwen/QwQ-32B@{COMMIT} --all "
        "--imatrix IMATRIX",
        "qwq-gguf verify me/QwQ-32B-GGUF:Q4_K_M --trust KEY.pub",
    ):
        assert f"    {command}\n" in card
    assert "0.6" in card
    assert "ab" * 32 in card


def test_strangers_words_stay_words(tmp_path: Path) -> None:
    evil = "x\n---\nlicense: mit\n# <script>alert(1)</script> [click](http://evil) | \x1b[31m `rm`"
    card = model_card(
        published(
            name=evil,
            license=evil,
            license_name=evil,
            license_link="javascript:alert(1)",
            languages=("en\nx: y",),
            tags=("a\nb", "<b>"),
            unsaid=(evil,),
        )
    )
    found = front(card, tmp_path)
    assert "license" not in found
    assert "x" not in found
    assert "language" not in found
    body = card.split("\n---\n", 1)[1]
    assert "<script>" not in body
    assert "http://evil" not in body
    assert "\x1b" not in body
    assert not re.search(r"(?<!\\)\[click", body)
    assert len([line for line in body.splitlines() if line.startswith("# ")]) == 1


def test_figures_are_those_of_eval_quality() -> None:
    quant = {
        "file": "a.gguf",
        "kl_divergence": {"mean": {"value": 0.01, "error": 0.001}},
        "same_top": {"value": 0.9, "error": 0.01},
    }
    text = json.dumps({"schema": QUALITY_SCHEMA, "quants": [quant]})
    assert read_quality(text, "q.json") == {"a.gguf": Quality(0.01, 0.9)}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"schema": "qwq-gguf/eval/1"}',
        '{"schema": "qwq-gguf/eval-quality/1"}',
        '{"schema": "qwq-gguf/eval-quality/1", "quants": [{"file": 1}]}',
        '{"schema": "qwq-gguf/eval-quality/1", "quants": [{"file": "a", "kl_divergence": '
        '{"mean": {"value": "1"}}}]}',
    ],
)
def test_other_figures_are_refused(text: str) -> None:
    with pytest.raises(PublishError):
        read_quality(text, "q.json")


def test_names_that_make_trouble_are_refused(tmp_path: Path) -> None:
    odd, twice = tmp_path / "a b.gguf", tmp_path / "readme.MD"
    for path in (odd, twice):
        path.write_bytes(b"GGUF")
        with pytest.raises(PublishError):
            make_publish_plan(published(), private=False, texts={}, files=[(path, "x")])
