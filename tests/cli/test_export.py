"""`qwq-gguf export`: files for other runtimes, and a place in LM Studio's folders."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf import __version__
from qwq_gguf.cli.app import app
from qwq_gguf.errors import ExportError, OutputError
from qwq_gguf.exporters.lmstudio_places import HOME_POINTER
from qwq_gguf.exporters.runtimes import EXPORTERS
from qwq_gguf.jobs.lmstudio_installing import install, plan_install
from support.families import write_family
from support.tiny_gguf import write_random

runner = CliRunner()
REPO = ("--user-repo", "qwen/tiny")


def export(*arguments: object) -> Result:
    return runner.invoke(app, ["export", *map(str, arguments)])


@pytest.fixture
def gguf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return write_random(folder / "tiny.gguf", context=2048)


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    (home / ".lmstudio").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    return home / ".lmstudio"


@pytest.mark.parametrize("runtime", EXPORTERS)
def test_every_runtime_gets_its_files(runtime: str, gguf: Path) -> None:
    done = export(runtime, "tiny.gguf")
    assert done.exit_code == 0, done.output
    assert done.stdout == "", "the files are the data"
    written = [path for path in Path(runtime).rglob("*") if path.is_file()]
    assert written
    assert all(str(path) in done.stderr for path in written)
    assert "not said: " in done.stderr
    again = export(runtime, "tiny.gguf")
    assert again.exit_code == 1
    assert "exists already" in again.stderr
    assert export(runtime, "tiny.gguf", "--force").exit_code == 0


def test_the_file_is_named_as_seen_from_the_folder(gguf: Path) -> None:
    assert export("llama-server", "tiny.gguf", "-o", "a/b").exit_code == 0
    assert "model = ../../tiny.gguf" in Path("a/b/preset.ini").read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
@pytest.mark.parametrize("runtime", ["llama-server", "vllm", "ollama"])
@pytest.mark.parametrize("folder", ["out dir/it's", "plain"])
def test_printed_commands_work_from_where_the_user_stands(
    runtime: str, folder: str, gguf: Path, tmp_path: Path
) -> None:
    """Each is typed as it stands; in place of the program one that says where it is and why."""
    program = tmp_path / "bin" / runtime
    program.parent.mkdir()
    program.write_text('#!/bin/sh\npwd -P\nfor word in "$@"; do echo "$word"; done\n')
    program.chmod(0o755)
    done = export(runtime, "tiny.gguf", "-o", folder)
    assert done.exit_code == 0, done.output
    typed = [
        line.strip()
        for line in done.stderr.partition("To use it:")[2].splitlines()
        if line.strip().startswith(("sh ", "BASE=ORG/NAME sh ", "(cd ", "ollama "))
    ]
    assert typed
    for line in typed:
        ran = subprocess.run(
            ["sh", "-c", line],
            env={"PATH": f"{program.parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
        )
        where, *words = ran.stdout.splitlines()
        named = [Path(where, w) for w in words if w.endswith((".gguf", ".ini", "Modelfile"))]
        assert named
        assert all(path.is_file() for path in named), line


def test_each_file_says_who_wrote_it_and_why(gguf: Path) -> None:
    assert export("llama-server", "tiny.gguf", "--profile", "qwq").exit_code == 0
    for name in ("preset.ini", "llama-server.sh"):
        text = Path("llama-server", name).read_text()
        assert f"# Written by qwq-gguf {__version__} from the profile qwq:\n# asked for.\n" in text


def test_the_settings_of_the_file_are_taken_unless_another_profile_is_named(
    gguf: Path, tmp_path: Path
) -> None:
    keys = {"general.sampling.temp": 0.25}
    write_random(tmp_path / "work" / "own.gguf", keys=keys)
    assert export("transformers", "own.gguf", "-o", "own").exit_code == 0
    assert json.loads(Path("own/generation_config.json").read_text())["temperature"] == 0.25
    export("transformers", "own.gguf", "-o", "named", "--profile", "qwq")
    assert json.loads(Path("named/generation_config.json").read_text())["temperature"] == 0.6


def test_an_effort_is_exported_or_said_to_be_unknown(gguf: Path) -> None:
    write_family(gguf.parent / "oss.gguf", "gpt-oss")
    done = export("llama-server", "oss.gguf", "--reasoning-effort", "low", "-o", "out")
    assert done.exit_code == 0, done.output
    assert '{"reasoning_effort": "low"}' in Path("out/llama-server.sh").read_text()
    assert "knows no effort" not in done.stderr
    other = export("llama-server", "tiny.gguf", "--reasoning-effort", "low", "-o", "other")
    assert "the chat template knows no effort low" in other.stderr
    assert "reasoning_effort" not in Path("other/llama-server.sh").read_text()
    made = runner.invoke(app, ["modelfile", "tiny.gguf", "--reasoning-effort", "low"])
    assert "the chat template knows no effort low" in made.stderr


def test_the_files_for_the_hub(gguf: Path) -> None:
    done = export("ollama", "tiny.gguf", "--hub", "--system", "Be brief.")
    assert done.exit_code == 0, done.output
    assert {path.name for path in Path("ollama").iterdir()} == {"template", "params", "system"}
    assert Path("ollama/system").read_text() == "Be brief."


@pytest.mark.parametrize(
    "arguments, status, complaint",
    [
        (("olama", "x.gguf"), 1, "did you mean ollama?"),
        (("vllm", "x.gguf", "--hub"), 2, "--hub belongs to ollama"),
        (("vllm", "x.gguf", "--system", "x"), 2, "ollama and lmstudio"),
        (("lmstudio", "x.gguf", "--install"), 2, "--install needs --user-repo"),
        (("lmstudio", "x.gguf", "--copy"), 2, "--copy belongs to --install"),
        (("lmstudio", "x.gguf", "--user-repo", "../x"), 1, "not a publisher and a model"),
        (("vllm", "none.gguf"), 1, "none.gguf"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: tuple[str, ...], status: int, complaint: str, tmp_path: Path
) -> None:
    done = export(*arguments)
    assert done.exit_code == status
    assert complaint in " ".join(done.stderr.split())


def test_installing_links_the_file_and_writes_its_settings(gguf: Path, studio: Path) -> None:
    done = export("lmstudio", "tiny.gguf", "--install", *REPO)
    assert done.exit_code == 0, done.output
    placed = studio / "models" / "qwen" / "tiny" / "tiny.gguf"
    assert placed.samefile(gguf)
    assert gguf.is_file(), "nothing is moved"
    defaults = studio / ".internal/user-concrete-model-default-config/qwen/tiny/tiny.gguf.json"
    assert json.loads(defaults.read_text())["load"]["fields"][0]["value"] == 2048
    assert len(list((studio / "config-presets").glob("*.preset.json"))) == 1
    assert not list(studio.rglob("*.partial"))
    (virtual,) = (studio / "hub/models").rglob("model.yaml")
    choose = virtual.parent.relative_to(studio / "hub/models").as_posix()
    assert f"choose {choose};" in done.stderr
    again = export("lmstudio", "tiny.gguf", "--install", *REPO)
    assert again.exit_code == 0
    assert "all of it is there already" in again.stderr
    assert "all of it is there already" not in done.stderr


def test_an_installed_link_outlives_the_folder_where_it_was_asked_for(
    gguf: Path, studio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "passing").mkdir()
    monkeypatch.chdir(tmp_path / "passing")
    assert export("lmstudio", "../work/tiny.gguf", "--install", *REPO).exit_code == 0
    monkeypatch.chdir(tmp_path)
    (tmp_path / "passing").rmdir()
    assert (studio / "models/qwen/tiny/tiny.gguf").samefile(gguf)


def test_a_long_name_is_no_fault_of_the_user(gguf: Path) -> None:
    gguf.rename(f"{'x' * 200}.gguf")
    done = export("lmstudio", f"{'x' * 200}.gguf", "-o", "out")
    assert done.exit_code == 0, done.output


@pytest.mark.skipif(sys.platform == "win32", reason="the command is for a POSIX shell")
@pytest.mark.parametrize("runtime", ["ollama", "lmstudio"])
def test_the_order_goes_into_the_file_by_the_command_that_is_printed(
    runtime: str, gguf: Path
) -> None:
    asked = (runtime, "tiny.gguf", "--profile", "qwq", "--force")
    (said,) = (line for line in export(*asked).stderr.splitlines() if "the order" in line)
    program, *words = shlex.split(said.split("`")[1])
    assert program == "qwq-gguf"
    words[words.index("FILE")] = "tiny.gguf"
    done = runner.invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "the order" not in export(*asked).stderr


def test_every_command_calls_the_model_the_same_in_ollama(gguf: Path) -> None:
    gguf.rename("Tiny_v1.5 Q4_K_M-00001-of-00001.gguf")
    name = "Tiny_v1.5 Q4_K_M-00001-of-00001.gguf"
    said = "ollama create tiny_v1.5-q4_k_m -f "
    assert said in runner.invoke(app, ["modelfile", name]).stderr
    assert said in export("ollama", name).stderr


def test_a_file_of_the_hubs_cache_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / ".lmstudio").mkdir()
    blob = tmp_path / "0123abcd"
    blob.write_text("weights")
    source = tmp_path / "a.gguf"
    source.symlink_to(blob)
    for copy in (False, True):
        (placed,) = install(
            plan_install((source,), {}, user_repo=f"a/b{copy}", home=tmp_path), copy=copy
        )
        assert placed.name == "a.gguf"
        assert placed.read_text() == "weights"
        assert placed.samefile(blob) is not copy


def test_its_downloads_folder_is_honoured_and_a_copy_is_one(
    gguf: Path, studio: Path, tmp_path: Path
) -> None:
    models = tmp_path / "big disk"
    (studio / "settings.json").write_text(json.dumps({"downloadsFolder": str(models)}))
    done = export("lmstudio", "tiny.gguf", "--install", *REPO, "--copy")
    assert done.exit_code == 0, done.output
    placed = models / "qwen" / "tiny" / "tiny.gguf"
    assert not placed.is_symlink()
    assert not placed.samefile(gguf)
    assert placed.read_bytes() == gguf.read_bytes()
    assert not (studio / "models").exists()


def test_another_file_in_the_way_stays_and_nothing_is_half_done(gguf: Path, studio: Path) -> None:
    placed = studio / "models" / "qwen" / "tiny" / "tiny.gguf"
    placed.parent.mkdir(parents=True)
    placed.write_text("precious")
    refused = export("lmstudio", "tiny.gguf", "--install", *REPO)
    assert refused.exit_code == 1
    assert "exists already" in refused.stderr
    assert placed.read_text() == "precious"
    assert not (studio / "config-presets").exists()
    assert export("lmstudio", "tiny.gguf", "--install", *REPO, "--force").exit_code == 0
    assert placed.samefile(gguf)


def test_without_lm_studio_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="not here"):
        plan_install((tmp_path / "a.gguf",), {}, user_repo="a/b", home=tmp_path)
    (tmp_path / HOME_POINTER).write_text(str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    plan = plan_install((tmp_path / "a.gguf",), {}, user_repo="a/b", home=tmp_path)
    assert list(plan.models.values()) == [tmp_path / "elsewhere" / "models/a/b/a.gguf"]


def test_where_links_cannot_be_made_a_hard_link_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(1, "a required privilege is not held")

    (tmp_path / ".lmstudio").mkdir()
    source = tmp_path / "a.gguf"
    source.write_text("weights")
    plan = plan_install((source,), {}, user_repo="a/b", home=tmp_path)
    monkeypatch.setattr(Path, "symlink_to", refuse)
    (placed,) = install(plan)
    assert placed.samefile(source)
    assert not placed.is_symlink()
    placed.unlink()
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with pytest.raises(OutputError, match="cannot be linked"):
        install(plan)
    assert [path.name for path in placed.parent.iterdir()] == []


def test_what_fits_this_machine_when_asked(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from qwq_gguf.jobs import fitting
    from qwq_gguf.machine.devices import Machine, modelled_memory

    def small(memory: int) -> None:
        machine = Machine("small", modelled_memory(memory))
        monkeypatch.setattr(fitting, "this_machine", lambda **_: (machine, ()))

    small(16 << 30)
    done = export("llama-server", gguf, "--fit")
    assert done.exit_code == 0
    assert "what fits this machine: 2,048 tokens of context in f16" in done.output
    assert "--ctx-size 2048" in Path("llama-server/llama-server.sh").read_text(encoding="utf-8")
    small(1 << 20)
    refused = export("llama-server", gguf, "--fit", "--force")
    assert refused.exit_code == 1
    assert "does not fit" in refused.output
