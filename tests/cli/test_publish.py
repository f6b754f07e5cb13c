"""`qwq-gguf publish` onto the loopback Hub."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.checkpoint.model_card import read_card
from qwq_gguf.cli.app import app
from support.hub import Fault, LoopbackHub

runner = CliRunner()
REPO = "me/Demo-GGUF"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    names = ("Q4_K_M", "Q8_0")
    flags = [word for name in names for word in ("-r", name)]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = runner.invoke(app, ["quantize", "demo", *flags])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def quants(made: Path, tmp_path: Path) -> list[Path]:
    folder = Path(shutil.copytree(made, tmp_path / "quants"))
    return sorted(folder.glob("*.gguf"))


@pytest.fixture(autouse=True)
def without_xet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its protocol has no loopback; the client's other way is LFS."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)


def publish(*arguments: object, to: str = REPO) -> Result:
    return runner.invoke(app, ["publish", *map(str, arguments), "--to", to])


def held(hub: LoopbackHub) -> dict[str, bytes]:
    repository = hub.repositories[REPO]
    files = repository.commits[repository.branches["main"]]
    return {name: each for name, each in files.items() if isinstance(each, bytes)}


def test_all_that_belongs_to_them_is_there_in_one_commit(
    hub: LoopbackHub, quants: list[Path], tmp_path: Path
) -> None:
    done = publish(*quants, "--yes", "--private", "--token", hub.good_token)
    assert done.exit_code == 0, done.output + repr(done.exception)
    there = held(hub)
    sent = {*(path.name for path in quants[0].parent.iterdir()), "README.md", "params", "template"}
    assert set(there) - {".gitattributes"} == {n for n in sent if not n.endswith("Modelfile")}
    for path in quants:
        assert there[path.name] == path.read_bytes()
    assert hub.repositories[REPO].private
    assert len(hub.repositories[REPO].commits) == 2  # an empty one, and ours
    assert json.loads(there["params"])["temperature"] == 0.6
    (tmp_path / "README.md").write_bytes(there["README.md"])
    card = read_card(tmp_path / "README.md")
    assert card["license"] == "apache-2.0"
    assert card["library_name"] == "gguf"
    assert card["quantized_by"] == "me"
    assert f"ollama run hf.co/{REPO}:Q4_K_M" in there["README.md"].decode()
    listed = runner.invoke(app, ["inspect", f"{REPO}:Q4_K_M", "--token", hub.good_token])
    assert listed.exit_code == 0, listed.output


def test_an_interrupted_upload_goes_on(hub: LoopbackHub, quants: list[Path]) -> None:
    hub.faults.append(Fault("POST .*/commit/", status=403))
    args = (*quants, "--yes", "--token", hub.good_token)
    broken = publish(*args)
    assert broken.exit_code == 1
    assert "does not let you write" in broken.stderr
    assert "the same command goes on" in broken.stderr
    assert set(held(hub)) == {".gitattributes"}  # nobody saw half of it
    assert len(hub.seen("PUT /upload/")) == 2
    hub.faults.clear()
    assert publish(*args).exit_code == 0
    assert len(hub.seen("PUT /upload/")) == 2  # what is there is not sent again
    again = publish(*args)
    assert again.exit_code == 0, again.output
    assert "replaces" in again.stderr
    assert len(hub.seen("PUT /upload/")) == 2


def test_nothing_is_sent_without_a_yes(hub: LoopbackHub, quants: list[Path]) -> None:
    done = publish(*quants, "--token", hub.good_token)
    assert done.exit_code == 1
    assert "nothing was sent" in done.stderr
    assert not hub.seen("POST|PUT")
    hub.requests.clear()
    dry = publish(*quants, "--dry-run", "--json")
    plan = json.loads(dry.stdout)
    assert plan["sent"] is None
    assert [quant["tag"] for quant in plan["quants"]] == ["Q4_K_M", "Q8_0"]
    assert not hub.requests


def test_what_may_not_be_written_is_said(hub: LoopbackHub, quants: list[Path]) -> None:
    done = publish(*quants, "--yes", "--token", hub.poor_token)
    assert done.exit_code == 1
    assert "a token that may write for me" in done.stderr
    hub.add(REPO, {"README.md": b"mine"})
    public = publish(*quants, "--yes", "--private", "--token", hub.good_token)
    assert public.exit_code == 1
    assert "everybody can read it" in public.stderr
    assert held(hub) == {"README.md": b"mine"}


def test_a_file_that_is_not_what_its_manifest_says_stays_here(
    hub: LoopbackHub, quants: list[Path]
) -> None:
    data = bytearray(quants[0].read_bytes())
    data[-1] ^= 1
    quants[0].write_bytes(data)
    done = publish(*quants, "--yes", "--token", hub.good_token)
    assert done.exit_code == 1
    assert "not what the manifest beside it says" in done.stderr
    assert not hub.seen("POST|PUT")


def test_an_attestation_goes_along_if_it_is_about_these_bytes(
    hub: LoopbackHub, quants: list[Path]
) -> None:
    pytest.importorskip("cryptography")
    key = quants[0].with_name("me.key")
    words = ["--source", "demo", "--attest", "--key", str(key), "--new-key"]
    assert runner.invoke(app, ["verify", str(quants[0]), *words]).exit_code == 0
    (path,) = quants[0].parent.glob("*.attestation.json")
    args = (*quants, "--yes", "--token", hub.good_token)
    assert publish(*args).exit_code == 0
    assert held(hub)[path.name] == path.read_bytes()
    path.rename(path.with_name(path.name.replace("Q4_K_M", "Q8_0")))
    stale = publish(*args)
    assert stale.exit_code == 1
    assert "about other bytes" in stale.stderr


def test_two_models_are_two_repositories(
    hub: LoopbackHub, quants: list[Path], talker: Path
) -> None:
    done = publish(quants[0], talker, "--dry-run")
    assert done.exit_code == 1
    assert "these are two models" in done.stderr


def test_the_same_to_modelscope(
    hub: LoopbackHub, quants: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", hub.url)
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "ms"))
    monkeypatch.setenv("HF_TOKEN", hub.good_token)
    there = f"modelscope:{REPO}"
    refused = publish(*quants, "--yes", to=there)
    assert refused.exit_code == 1
    assert "MODELSCOPE_API_TOKEN" in refused.stderr
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "ms_good")
    hub.faults.append(Fault("POST .*/commit/", status=500))
    broken = publish(*quants, "--yes", "--private", to=there)
    assert broken.exit_code == 1
    assert "it answered 500" in broken.stderr
    assert set(held(hub)) == {".gitattributes"}
    assert len(hub.seen("PUT /upload/")) == 2
    hub.faults.clear()
    done = publish(*quants, "--yes", "--private", to=there)
    assert done.exit_code == 0, done.output + done.stderr
    assert len(hub.seen("PUT /upload/")) == 2
    for path in quants:
        assert held(hub)[path.name] == path.read_bytes()
    card = held(hub)["README.md"].decode()
    assert f"    qwq-gguf chat modelscope:{REPO}:Q4_K_M\n" in card
    assert f"    ollama run modelscope.cn/{REPO}:Q4_K_M\n" in card
    assert hub.repositories[REPO].private
    commits = len(hub.repositories[REPO].commits)
    assert publish(*quants, "--yes", to=there).exit_code == 0
    assert len(hub.repositories[REPO].commits) == commits  # nothing differs, so nothing is sent
    # The storage is another server than the one that was signed in to, by its port alone.
    assert {request.token for request in hub.requests} == {None, "ms_good"}
    hub.repositories[REPO].private = False
    public = publish(*quants, "--yes", "--private", to=there)
    assert "is not private" in public.stderr


def test_the_usage_line_reads_well() -> None:
    shown = runner.invoke(app, ["publish", "--help"])
    assert "[OPTIONS] FILES..." in shown.stdout
