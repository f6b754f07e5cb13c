"""`quantize` lets a file carry its profile, and says what it changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.resources import profiles_dir
from support.chat_templates import QWQ
from support.checkpoints import byte_tokenizer, write_checkpoint

runner = CliRunner()


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "QwQ-Thinker"
    template = QWQ.replace("im_end", "endoftext")
    return write_checkpoint(
        folder,
        tokenizer=byte_tokenizer(chat_template=template),
        generation_config={"top_k": 7},
    )


def quantize(folder: Path, out: Path, *flags: str) -> Result:
    done = runner.invoke(app, ["quantize", str(folder), str(out), "--no-modelfile", *flags])
    assert done.exit_code == 0, done.output
    return done


def test_the_profile_and_the_repairs_are_written_and_said(thinker: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.gguf"
    done = quantize(thinker, out)
    file = read_gguf(out)
    assert file.text("general.sampling.sequence") == "temperature;top_k;top_p;min_p;penalties"
    assert file.integer("general.sampling.top_k") == 7
    assert file.text("qwq_gguf.profile") is None
    said = "those of profile qwq, because general.name is QwQ Thinker, though of another shape"
    assert f"set: general.sampling.*: {said}; top_k as the author has it" in done.stderr
    assert "set: end of sequence:" in done.stderr
    assert "note: not in general.sampling.*: presence penalty" in done.stderr
    dry = quantize(thinker, out, "--dry-run", "--json")
    assert json.loads(dry.stdout)["file_bytes"] == out.stat().st_size


def test_another_models_author_has_the_last_word(thinker: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.gguf"
    done = quantize(thinker, out, "--name", "Some Reasoner")
    file = read_gguf(out)
    assert file.text("general.sampling.sequence") == "temperature;top_k;top_p;min_p;penalties"
    assert file.integer("general.sampling.top_k") == 7
    assert file.text("qwq_gguf.profile") is None
    assert "its chat template says that it thinks; top_k as the author has it" in done.stderr


def test_the_flags_leave_the_checkpoint_its_say(thinker: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.gguf"
    done = quantize(thinker, out, "--no-sampling-metadata", "--no-repair")
    file = read_gguf(out)
    assert file.text("general.sampling.sequence") is None
    assert file.integer("general.sampling.top_k") == 7
    assert "set:" not in done.stderr
    mine = quantize(thinker, tmp_path / "b.gguf", "--override-kv", "general.sampling.top_k=int:20")
    assert read_gguf(tmp_path / "b.gguf").integer("general.sampling.top_k") == 20
    assert "set:" in mine.stderr


def test_the_profile_that_was_asked_for(thinker: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.gguf"
    words = ["quantize", str(thinker), str(out), "--profile", "qwen-llama-cpp"]
    done = runner.invoke(app, words)
    assert done.exit_code == 0, done.output
    assert read_gguf(out).text("qwq_gguf.profile") == "qwen-llama-cpp"
    assert read_gguf(out).text("general.sampling.sequence") == "top_k;top_p;min_p;temperature"
    assert "set: general.sampling.*: those of profile qwen-llama-cpp, as asked" in done.stderr
    assert options(out)["profile"] == "qwen-llama-cpp"
    assert "PARAMETER min_p 0.0\n" in (tmp_path / "a.Modelfile").read_text(encoding="utf-8")


def test_a_profile_of_ones_own(thinker: Path, tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    shipped = profiles_dir().joinpath("qwq.toml").read_text(encoding="utf-8")
    own.write_text(shipped.replace("value = 0.6", "value = 0.7").replace('"qwq"', '"mine"'))
    out = tmp_path / "a.gguf"
    done = runner.invoke(app, ["quantize", str(thinker), str(out), "--profile", str(own)])
    assert done.exit_code == 0, done.output
    assert read_gguf(out).text("qwq_gguf.profile") is None
    assert "the name mine: it is your own" in done.stderr
    told = options(out)["profile"]
    assert told == {"name": "mine.toml", "sha256": hashlib.sha256(own.read_bytes()).hexdigest()}
    modelfile = (tmp_path / "a.Modelfile").read_text(encoding="utf-8")
    assert "PARAMETER temperature 0.7\n" in modelfile
    # What no key of a GGUF can say, the Modelfile still does.
    assert "PARAMETER presence_penalty 1.0\n" in modelfile


def test_without_one_the_modelfile_goes_by_what_the_file_carries(
    thinker: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.gguf"
    words = ["quantize", str(thinker), str(out), "--override-kv", "general.sampling.top_k=int:21"]
    assert runner.invoke(app, words).exit_code == 0
    assert options(out)["profile"] == "auto"
    modelfile = (tmp_path / "a.Modelfile").read_text(encoding="utf-8")
    assert "PARAMETER top_k 21\n" in modelfile
    assert "PARAMETER presence_penalty 1.0\n" in modelfile
    refused = runner.invoke(app, [*words, "--profile", "qqq"])
    assert refused.exit_code == 1
    assert "there is no such profile" in refused.stderr


def options(out: Path) -> dict[str, object]:
    manifest = json.loads(out.with_name("a.manifest.json").read_text(encoding="utf-8"))
    found: dict[str, object] = manifest["options"]
    return found
