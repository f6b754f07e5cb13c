"""`quantize --lora`: an adapter merged on the way, its manifest, and what it is checked with."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import qwq_gguf
from qwq_gguf.checkpoint import open_adapter, open_checkpoint
from qwq_gguf.cli.app import app
from qwq_gguf.conversion import convert
from qwq_gguf.errors import UsageError
from qwq_gguf.quantization import load_recipe, make_plan
from qwq_gguf.quantization.writing.fingerprint import fingerprint, shards_of
from support.adapters import Lora, modules, write_adapter
from support.checkpoints import Shape, write_checkpoint
from support.hub import LoopbackHub

SHAPE = Shape(hidden=64, layers=2, heads=4, kv_heads=2, feed_forward=96)
OUT = "tiny-base-tuned-Q8_0.gguf"
FLAGS = ("-r", "Q8_0", "--no-modelfile", "--kernels", "ggml")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_checkpoint(tmp_path / "tiny-base", "qwen3", SHAPE, shards=3)
    write_adapter(tmp_path / "tuned", Lora(modules(SHAPE, ("q_proj", "down_proj"))))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def test_it_is_another_model_and_can_be_verified(here: Path) -> None:
    made = run("quantize", "tiny-base", "--lora", "tuned", *FLAGS)
    assert made.exit_code == 0, made.output
    assert "note: the adapter tuned is merged in F32: 4 products added" in made.stderr
    assert run("quantize", "tiny-base", *FLAGS).exit_code == 0
    assert Path(OUT).read_bytes() != Path("tiny-base-Q8_0.gguf").read_bytes()
    manifest = json.loads(Path("tiny-base-tuned-Q8_0.manifest.json").read_text())
    assert manifest["source"]["name"] == "tiny-base"
    (adapter,) = manifest["options"]["lora"]
    assert adapter["name"] == "tuned"
    digests = {
        name: hashlib.sha256(Path("tuned", name).read_bytes()).hexdigest()
        for name in ("adapter_config.json", "adapter_model.safetensors")
    }
    assert {file["name"]: file["sha256"] for file in adapter["files"]} == digests
    assert "lora" not in json.loads(Path("tiny-base-Q8_0.manifest.json").read_text())["options"]

    shutil.copytree("tuned", "a copy")  # its name is no matter
    good = run("verify", OUT, "--source", "tiny-base", "--lora", "a copy", "--all")
    assert good.exit_code == 0, good.output
    assert "nothing differs" in good.stdout
    without = run("verify", OUT, "--source", "tiny-base")
    assert without.exit_code == 1
    assert "--lora tuned" in without.stderr
    write_adapter(here / "a copy", Lora(modules(SHAPE, ("q_proj", "down_proj")), seed=1))
    other = run("verify", OUT, "--source", "tiny-base", "--lora", "a copy")
    assert other.exit_code == 1
    assert "other bytes of them" in other.stderr
    Path("tiny-base-tuned-Q8_0.manifest.json").unlink()
    found = run("verify", OUT, "--source", "tiny-base", "--lora", "a copy")
    assert found.exit_code == 1
    assert "blk.0.attn_q.weight: not what the source gives" in found.stdout
    assert run("verify", OUT, "--lora", "tuned").exit_code == 2


def test_python_makes_the_same(here: Path) -> None:
    plan = qwq_gguf.plan("tiny-base", "Q8_0", lora=Path("tuned"))
    made = qwq_gguf.quantize("tiny-base", recipe="Q8_0", lora=["tuned", "tuned"], modelfile=False)
    assert made.path.name == "tiny-base-tuned-tuned-Q8_0.gguf"
    assert plan.name == "tiny-base-tuned"
    assert made.plans[0].tensors[3].nbytes == plan.tensors[3].nbytes
    assert qwq_gguf.verify(made.path, source="tiny-base", lora=["tuned", "tuned"]).ok
    with pytest.raises(UsageError, match="lora goes with a checkpoint"):
        qwq_gguf.plan(made.path, lora="tuned")


def test_the_folder_alone_says_what_it_is(here: Path) -> None:
    told = run("quantize", "tuned")
    assert told.exit_code == 1
    assert "this is a LoRA adapter, not a model" in told.stderr
    assert f"qwq-gguf quantize somebody/tiny-base --lora {here / 'tuned'}" in told.stderr


def test_an_output_replaces_no_adapter(here: Path) -> None:
    weights = here / "tuned" / "adapter_model.safetensors"
    before = weights.read_bytes()
    made = run("quantize", "tiny-base", str(weights), "--lora", "tuned", "--force", *FLAGS)
    assert made.exit_code != 0
    assert weights.read_bytes() == before


def test_an_unfinished_file_knows_its_adapter(here: Path) -> None:
    def made(**changes: object) -> tuple[str, set[str]]:
        adapter = open_adapter(write_adapter(here / "tuned", LORA, **changes))
        plan = make_plan(convert(open_checkpoint("tiny-base"), adapters=[adapter]), RECIPE)
        sections = fingerprint(plan, identity=str, versions={}, about={})
        return sections["tensors"]["all"], {path.name for path in shards_of(plan)}

    RECIPE, LORA = load_recipe("Q8_0"), Lora(modules(SHAPE, ("o_proj",)))
    first, files = made()
    assert "adapter_model.safetensors" in files
    assert made()[0] == first
    assert made(lora_alpha=17)[0] != first


def test_its_base_may_pass_by(here: Path, hub: LoopbackHub) -> None:
    hub.add_folder("org/tiny-base", here / "tiny-base")
    streamed = run("quantize", "org/tiny-base", "s.gguf", "--stream", "--lora", "tuned", *FLAGS)
    assert streamed.exit_code == 0, streamed.output
    assert not list((here / "hf").rglob("*.safetensors"))
    good = run("verify", "s.gguf", "--source", "tiny-base", "--lora", "tuned", "--all")
    assert good.exit_code == 0, good.output
    again = run("quantize", "org/tiny-base", "c.gguf", "--lora", "tuned", *FLAGS)
    assert again.exit_code == 0, again.output
    assert Path("s.gguf").read_bytes() == Path("c.gguf").read_bytes()
