"""What people really type and really have, by the real commands."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.cli.app import app
from support.checkpoints import safetensors_bytes, write_checkpoint
from support.hub import LoopbackHub
from support.split_files import cut
from support.tiny_gguf import write_random

runner = CliRunner()
SAID = "the tensors' names begin with 'module.model.' where 'model.' is usual"


def run(*arguments: object) -> Result:
    return runner.invoke(app, [*map(str, arguments)])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def wrapped(folder: Path) -> Path:
    """A checkpoint of DataParallel's, every name with `module.` in front."""
    write_checkpoint(folder)
    checkpoint = open_checkpoint(folder)
    raw = (folder / "model.safetensors").read_bytes()
    import numpy as np

    tensors = {
        f"module.{name}": (
            info.dtype,
            np.frombuffer(raw[info.start :][: info.nbytes], np.uint16).reshape(info.shape),
        )
        for name, info in checkpoint.tensors.items()
    }
    (folder / "model.safetensors").write_bytes(safetensors_bytes(tensors))
    return folder


def test_a_prefix_is_said_by_every_way_to_run(tmp_path: Path, here: Path) -> None:
    folder, plain = wrapped(tmp_path / "Tiny"), write_checkpoint(tmp_path / "other" / "Tiny")
    dry = run("quantize", folder, "--dry-run")
    assert f"note: {SAID}" in dry.stderr
    planned = run("quantize", folder, "--dry-run", "--json")
    assert planned.stderr == ""
    assert any(SAID in line for line in json.loads(planned.stdout)["notes"])
    done = run("quantize", folder, "a.gguf", "q8_0")
    assert done.exit_code == 0, done.output
    assert f"note: {SAID}" in done.stderr
    again = run("quantize", folder, "a.gguf", "q8_0", "--force", "--no-resume")
    assert f"note: {SAID}" in again.stderr
    ordinary = run("quantize", plain, "b.gguf", "q8_0")
    assert SAID not in ordinary.stderr
    assert Path("a.gguf").read_bytes() == Path("b.gguf").read_bytes()
    checked = run("verify", "a.gguf", "--source", folder)
    assert checked.exit_code == 0, checked.output
    assert f"note: {SAID}" in checked.stderr
    report = json.loads(run("verify", "a.gguf", "--source", folder, "--json").stdout)
    assert any(SAID in line for line in report["notes"])
    assert json.loads(run("verify", "a.gguf", "--json").stdout)["notes"] == []


@pytest.mark.parametrize("stream", [[], ["--stream"]])
def test_a_prefix_on_the_hub(
    tmp_path: Path, here: Path, hub: LoopbackHub, stream: list[str]
) -> None:
    folder = wrapped(tmp_path / "Tiny")
    hub.add("org/Tiny", {path.name: path for path in folder.iterdir()})
    done = run("quantize", "org/Tiny", "a.gguf", "q8_0", *stream)
    assert done.exit_code == 0, done.output
    assert f"note: {SAID}" in done.stderr
    assert run("quantize", folder, "b.gguf", "q8_0", "--name", "Tiny").exit_code == 0
    written = Path("a.gguf").read_bytes()
    assert written[-100_000:] == Path("b.gguf").read_bytes()[-100_000:]


def test_joined_parts_are_refused_by_every_command(here: Path) -> None:
    parts = cut(write_random(here / "tiny.gguf"), 3)
    joined = here / "tiny.gguf"
    joined.write_bytes(b"".join(path.read_bytes() for path in parts))
    for command in (["inspect"], ["modelfile"], ["verify"], ["export", "vllm"], ["quantize"]):
        refused = run(*command, joined)
        assert refused.exit_code == 1, command
        assert "one behind the other" in refused.output
    assert "| head -c" in run("inspect", joined).stderr
    assert "try: take them apart" in run("verify", joined).stdout


def test_a_part_by_another_name_is_refused(here: Path) -> None:
    first, *_ = cut(write_random(here / "tiny.gguf"), 3)
    first.rename("renamed.gguf")
    for command in ("inspect", "modelfile"):
        refused = run(command, "renamed.gguf")
        assert refused.exit_code == 1
        assert "mv renamed.gguf renamed-00001-of-00003.gguf" in refused.stderr


def test_a_name_that_begins_with_a_tilde(here: Path) -> None:
    write_random(Path("~tiny.gguf"))
    assert run("inspect", "~tiny.gguf").exit_code == 0
    made = run("modelfile", "~tiny.gguf")
    assert made.exit_code == 0, made.output
    assert "FROM" in made.stdout
    missing = run("inspect", "~nothing.gguf")
    assert missing.exit_code == 1
    assert "there is no such file" in missing.stderr
    folder = write_checkpoint(Path("~Tiny"))
    assert run("quantize", folder, "~out.gguf", "q8_0").exit_code == 0
    assert Path("~out.gguf").is_file()


def test_a_gguf_by_a_wrong_name_is_one_all_the_same(here: Path) -> None:
    write_random(Path("model.safetensors"))
    assert run("inspect", "model.safetensors").exit_code == 0


def test_safetensors_by_the_name_of_a_gguf(here: Path) -> None:
    folder = write_checkpoint(here / "Tiny")
    shutil.copy(folder / "model.safetensors", folder / "model.gguf")
    refused = run("inspect", folder / "model.gguf")
    assert refused.exit_code == 1
    assert "but a file of safetensors" in refused.stderr
    assert f"qwq-gguf quantize {folder}" in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect", "PIPE"],
        ["modelfile", "PIPE"],
        ["verify", "PIPE"],
        ["verify", "tiny.gguf", "--against", "PIPE"],
        ["set", "PIPE", "--kv", "general.name=a"],
        ["set", "tiny.gguf", "--chat-template", "PIPE"],
        ["chat", "PIPE", "-p", "hello"],
        ["chat", "tiny.gguf", "-p", "hello", "--grammar-file", "PIPE"],
        ["profiles", "./PIPE.toml"],
        ["modelfile", "tiny.gguf", "--profile", "./PIPE.toml"],
        ["recipes", "./PIPE.toml"],
        ["quantize", "demo", "--dry-run", "-r", "./PIPE.toml"],
        ["quantize", "demo", "--dry-run", "--imatrix", "PIPE"],
        ["quantize", "PIPE"],
        ["export", "lmstudio", "PIPE"],
    ],
)
def test_a_pipe_is_refused_and_not_waited_for(here: Path, arguments: list[str]) -> None:
    write_random(Path("tiny.gguf"))
    os.mkfifo("PIPE")
    os.mkfifo("PIPE.toml")
    refused = run(*arguments)
    assert refused.exit_code in (1, 2), refused.output
    assert "a pipe, where a file is needed" in " ".join(refused.output.split())


def test_a_manifest_that_is_a_pipe(here: Path) -> None:
    write_random(Path("tiny.gguf"))
    os.mkfifo("tiny.manifest.json")
    checked = run("verify", "tiny.gguf")
    assert checked.exit_code == 1
    assert "a pipe, where a file is needed" in checked.stdout


def test_a_shells_own_pipe_is_read(here: Path) -> None:
    """`set FILE --chat-template <(command)`."""
    write_random(Path("tiny.gguf"))
    reading, writing = os.pipe()
    try:
        template = "{% for m in messages %}{{ m.content }}{% endfor %}"
        os.write(writing, template.encode())
        os.close(writing)
        done = run("set", "tiny.gguf", "--chat-template", f"/dev/fd/{reading}")
        assert done.exit_code == 0, done.output
    finally:
        os.close(reading)
    assert run("inspect", "tiny.gguf", "--template").stdout.strip() == template


def test_a_link_gives_no_secret_away(here: Path, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "Tiny")
    (folder / "chat_template.jinja").symlink_to("/proc/self/environ")
    refused = run("quantize", folder, "a.gguf")
    assert refused.exit_code == 1
    assert "this link leads out of the checkpoint" in refused.stderr
    assert "take the link away" in refused.stderr
    assert "cp " not in refused.stderr
    assert list(here.iterdir()) == []


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems hold UTF-8 alone")
def test_names_that_are_no_utf8(here: Path) -> None:
    folder = write_checkpoint(here / os.fsdecode(b"na\xefve"))
    shard = folder / "model.safetensors"
    shard.rename(folder / os.fsdecode(b"model-\xef.safetensors"))
    done = run("quantize", folder, "q8_0")
    assert done.exit_code == 0, done.output
    assert run("verify", "na-ve-Q8_0.gguf", "--source", folder).exit_code == 0
    assert json.loads(run("inspect", "na-ve-Q8_0.gguf", "--json").stdout)["name"] == "Na\ufffdVe"
