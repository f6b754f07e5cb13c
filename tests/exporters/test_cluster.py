"""A model over cards and machines, by vLLM's own rules."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from qwq_gguf.errors import ExportError, UsageError
from qwq_gguf.exporters import vllm
from qwq_gguf.exporters.cluster import Cards, Needs, plan_cluster
from qwq_gguf.jobs.exporting import Exporting, export_settings
from qwq_gguf.profiles import load_profile
from support.exports import FACTS
from support.tiny_gguf import write_random

QWQ = load_profile("qwq")
GIB = 1 << 30
# QwQ-32B at Q4_K_M: 40 heads, 8 of keys and values of 128 numbers, 64 layers.
QWQ_32B = Needs(40, 8, 64, 20 * GIB, 64 * 2 * 8 * 128 * 2)
R1 = Needs(128, None, 61, 377 * GIB, 70_272)


def divided(needs: Needs, machines: int, each: int, gib: int) -> tuple[int, int, int]:
    found = plan_cluster(needs, Cards(machines, each, gib * GIB), 1024)
    assert needs.heads % found.tensor == 0
    assert found.tensor <= each
    return found.tensor, found.pipeline, found.idle


def test_heads_decide_how_many_cards_share_a_layer() -> None:
    assert divided(QWQ_32B, 1, 1, 24) == (1, 1, 0)
    assert divided(QWQ_32B, 1, 2, 16) == (2, 1, 0)
    assert divided(QWQ_32B, 1, 8, 24) == (8, 1, 0)
    # Three do not divide 40 heads, and five share no eight: the other stages are a pipeline.
    assert divided(QWQ_32B, 1, 3, 24) == (2, 1, 1)
    assert divided(QWQ_32B, 1, 6, 24) == (4, 1, 2)
    assert divided(QWQ_32B, 1, 5, 24) == (4, 1, 1)
    assert divided(QWQ_32B, 2, 4, 24) == (4, 2, 0)
    # Fewer heads of keys and values than cards: each is held by several.
    assert divided(replace(QWQ_32B, heads=64, kv_heads=4), 1, 16, 24) == (16, 1, 0)
    assert divided(R1, 2, 8, 80) == (8, 2, 0)
    # No more stages than layers.
    assert divided(replace(QWQ_32B, layers=2), 4, 1, 24) == (1, 2, 2)


def test_room_for_requests() -> None:
    found = plan_cluster(QWQ_32B, Cards(1, 2, 24 * GIB), 40_960)
    assert found.weights_a_card == 10 * GIB
    # 0.9 of 24 GiB less 10, and each card has half of a token's 256 KiB.
    assert found.tokens == (int(24 * GIB * 0.9) - 10 * GIB) // (128 << 10)
    latent = plan_cluster(R1, Cards(2, 8, 80 * GIB), 1024)
    # All eight hold the same latent cache; the two stages hold half of the layers each.
    assert latent.tokens == (int(80 * GIB * 0.9) - latent.weights_a_card) * 2 // 70_272


def test_what_does_not_go_in_is_refused() -> None:
    with pytest.raises(ExportError, match="the weights"):
        plan_cluster(R1, Cards(1, 8, 48 * GIB), 1024)
    with pytest.raises(ExportError, match="40,960 tokens"):
        plan_cluster(QWQ_32B, Cards(1, 1, 24 * GIB), 40_960)


def test_the_commands() -> None:
    def made(machines: int, each: int) -> dict[str, str]:
        cluster = plan_cluster(QWQ_32B, Cards(machines, each, 24 * GIB), 1024)
        found = vllm.export(QWQ, replace(FACTS, cluster=cluster))
        told = " ".join(str(line) for line in found.use)
        assert ("ray-head.sh" in told) == (machines > 1)
        return dict(found.files)

    one = made(1, 4)
    assert "--tensor-parallel-size 4" in one["vllm.sh"]
    assert "--pipeline" not in one["vllm.sh"]
    assert "ray-head.sh" not in one
    several = made(3, 4)
    for words in (
        "--tensor-parallel-size 4",
        "--pipeline-parallel-size 3",
        "--distributed-executor-backend ray",
    ):
        assert words in several["vllm.sh"]
    assert "--num-gpus=4" in several["ray-head.sh"]
    for name in ("ray-head.sh", "ray-worker.sh"):
        subprocess.run(["sh", "-n"], input=several[name], text=True, check=True)
    bare = subprocess.run(
        ["sh"], input=several["ray-worker.sh"], text=True, capture_output=True, check=False
    )
    assert bare.returncode != 0
    assert "address of the first machine" in bare.stderr
    # The reasoning parser, the chain and the limits are those of one machine.
    plain = vllm.export(QWQ, FACTS).files["vllm.sh"]
    flags = r"--(?:tensor|pipeline|distributed)\S* \S+ \\\n    "
    assert re.sub(flags, "", several["vllm.sh"]) == plain


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("8x24GB", "--tensor-parallel-size 4 "),
        ("2x3x24gb", "--pipeline-parallel-size 2"),
        ("2xrtx3090", "--tensor-parallel-size 2 "),
        ("rx7900xtx", "--tensor-parallel-size 1 "),
    ],
)
def test_cards_as_they_are_typed(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = write_random(tmp_path / "tiny.gguf", context=512)
    export_settings(Exporting("vllm", model, cards=text), lambda _: None)
    assert words in (tmp_path / "vllm/vllm.sh").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["", "8x", "0x24GB", "2x0x24GB", "cpu", "nonsense", "2x3x4x24GB"])
def test_what_are_no_cards(text: str, tmp_path: Path) -> None:
    model = write_random(tmp_path / "tiny.gguf")
    with pytest.raises(UsageError):
        export_settings(Exporting("vllm", model, out=tmp_path / "o", cards=text), lambda _: None)
    with pytest.raises(UsageError, match="vllm"):
        export_settings(Exporting("ollama", model, cards="2x24GB"), lambda _: None)
