"""`--json`: one object on stdout, of every command, and of every error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app

WHOLE: Any = get_command(app)


def _commands() -> Iterator[tuple[str, ...]]:
    for name, command in WHOLE.commands.items():
        inner = getattr(command, "commands", None)
        yield from [(name,)] if inner is None else [(name, word) for word in inner]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QWQ_GGUF_MODELS", str(tmp_path / "models"))


def run(*words: object) -> Result:
    return CliRunner().invoke(app, list(map(str, words)))


@pytest.mark.parametrize("words", list(_commands()), ids=" ".join)
def test_every_command_has_the_flags_of_all(words: tuple[str, ...]) -> None:
    page = run(*words, "--help").output
    for flag in ("--json", "-q, --quiet", "-v, --verbose", "-h, --help"):
        assert flag in page, flag


@pytest.mark.parametrize(
    ("words", "schema"),
    [
        ("quantize demo", "made/1"),
        ("quantize demo --dry-run", "plan/1"),
        ("quantize demo --dry-run -r Q8_0 -r Q6_K", "plans/1"),
        ("recipes", "recipes/1"),
        ("recipes Q4_K_M", "recipe/1"),
        ("recipes demo", "recipe-sizes/1"),
        ("profiles", "profiles/1"),
        ("profiles qwq", "profiles/1"),
        ("set GGUF --kv general.name=X", "set/1"),
        ("export llama-server GGUF", "export/1"),
        ("modelfile GGUF", "modelfile/1"),
        ("modelfile GGUF -o here.Modelfile", "modelfile/1"),
        ("chat GGUF --show-chain", "chain/1"),
        ("inspect GGUF", "inspect"),
        ("verify GGUF", "verify"),
        ("fix GGUF", "fix/1"),
        ("models", "models/1"),
        ("run demo --dry-run", "run/1"),
        ("config", "config/1"),
        ("--version", "version/1"),
    ],
)
def test_one_object_on_stdout(words: str, schema: str, talker: Path, tmp_path: Path) -> None:
    copy = tmp_path / "talker.gguf"
    copy.write_bytes(talker.read_bytes())
    done = run(*words.replace("GGUF", str(copy)).split(), "--json")
    assert done.exit_code == 0, done.output
    assert done.stdout.count("\n") == 1
    found = json.loads(done.stdout)
    assert schema in found["schema"]
    assert found["schema"].startswith("qwq-gguf/")


def test_what_was_made() -> None:
    done = run("quantize", "demo", "a/b/", "-r", "Q8_0", "-r", "Q6_K", "--json")
    assert done.exit_code == 0, done.output
    first, second = json.loads(done.stdout)["models"]
    assert Path(first["path"]) == Path("a/b/QwQ-Demo-Q8_0.gguf")
    assert first["file_bytes"] == Path(first["path"]).stat().st_size
    assert len(first["files"][0]["sha256"]) == 64
    assert second["recipe"] == "Q6_K"
    assert Path(second["modelfile"]).is_file()


def test_sizes_are_those_of_the_plans() -> None:
    sizes = json.loads(run("recipes", "demo", "--json").stdout)["recipes"]
    by_name = {each["name"]: each["file_bytes"] for each in sizes}
    for recipe in ("Q4_K_M", "Q8_0"):
        plan = json.loads(run("quantize", "demo", recipe, "--dry-run", "--json").stdout)
        assert by_name[recipe] == plan["file_bytes"]
    assert by_name["IQ1_S"] is None, "that one needs an importance matrix"


@pytest.mark.parametrize(
    ("words", "status", "kind"),
    [
        ("inspect none.gguf", 1, "NotAGgufError"),
        ("quantize none", 1, "NotACheckpointError"),
        ("quantize", 2, "UsageError"),
        ("inspect a b c", 2, "UsageError"),
        ("chat none.gguf --nonsense", 2, "UsageError"),
        ("chat none.gguf", 2, "UsageError"),
        ("recipes Q9", 1, "RecipeError"),
        ("profiles nobody", 1, "ProfileError"),
        ("nonsense", 2, "UsageError"),
        ("run demo -p x", 1, "QwqGgufError"),
        ("models none", 1, "NotAGgufError"),
    ],
)
def test_an_error_is_an_object_and_words(words: str, status: int, kind: str) -> None:
    refused = run(*words.split(), "--json")
    assert refused.exit_code == status, refused.output
    found = json.loads(refused.stdout)
    assert found["schema"] == "qwq-gguf/error/1"
    error = found["error"]
    assert error["type"] == kind
    assert set(error) == {"type", "message", "path", "found", "expected", "hint"}
    assert error["message"]
    assert "rror:" in refused.stderr
    if words == "chat none.gguf":  # with --json it asks for a question, else for the file
        return
    plain = run(*words.split())
    assert plain.exit_code == status
    assert plain.stdout == ""
    # But for the room on the disk, which changes while one looks.
    assert plain.stderr.splitlines()[-3:] == refused.stderr.splitlines()[-3:]


def test_an_interruption_and_a_fault_are_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    import qwq_gguf.jobs.inspecting as module

    for error, status, kind in (
        (KeyboardInterrupt(), 130, "Interrupted"),
        (ZeroDivisionError("x"), 1, "Fault"),
        (PermissionError(13, "Permission denied", "secret"), 1, "PermissionError"),
    ):

        def raising(*_: object, error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr(module, "inspect_file", raising)
        done = run("inspect", "x", "--json")
        assert done.exit_code == status
        assert json.loads(done.stdout)["error"]["type"] == kind


def test_quiet_says_results_and_errors_alone(tmp_path: Path) -> None:
    done = run("quantize", "demo", "-q")
    assert done.exit_code == 0
    assert done.output == ""
    assert (tmp_path / "QwQ-Demo-Q4_K_M.gguf").is_file()
    again = run("quantize", "demo", "-q")
    assert again.exit_code == 1
    assert again.stderr.startswith("error: ")
    assert "took" in run("recipes", "-v").stderr
    assert run("recipes", "-q", "-v").exit_code == 2


def test_hints_name_the_command_that_was_typed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.gguf").write_bytes(b"GGUF")
    for words in ("inspect", "verify", "export vllm"):
        said = run(*words.split(), "folder").stderr
        assert "qwq-gguf chat" not in said, said


def test_one_name_for_one_thing() -> None:
    """The old spelling and the one of other commands do the same."""
    dry = ("--dry-run", "--json")
    wanted = run("quantize", "demo", "--override-kv", "general.name=str:X", *dry).stdout
    assert run("quantize", "demo", "--kv", "general.name=X", *dry).stdout == wanted
    assert run("quantize", "demo", "--kv", "nobody.knows=X", *dry).exit_code == 1
    assert run("quantize", "demo", "q8_0", "-o", "x/", "-q").exit_code == 0
    assert Path("x/QwQ-Demo-Q8_0.gguf").is_file()
    assert run("quantize", "demo", "y.gguf", "-o", "x/").exit_code == 2
    for flag in ("--kv", "--override-kv"):
        done = run("set", "x/QwQ-Demo-Q8_0.gguf", flag, "general.name=Y", "--dry-run")
        assert "general.name" in done.stdout, done.output
