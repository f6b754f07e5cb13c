"""`verify --attest` and `--trust`: what is said of a file under a key, and what undoes it."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.gguf_file.splits import read_splits
from qwq_gguf.jobs.planning import Wanted, plan_models
from qwq_gguf.verification.rebuilt import compare_with_plan
from support.hub import LoopbackHub

runner = CliRunner()
pytest.importorskip("cryptography")


@pytest.fixture(scope="module")
def attested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quant of the demo, its manifest, two keys, and what the first says of it."""
    folder = tmp_path_factory.mktemp("attested")
    made = runner.invoke(app, ["quantize", "demo", str(folder / "demo.gguf"), "-r", "Q4_0"])
    assert made.exit_code == 0, made.output
    for name in ("other.key", "me.key"):
        done = attest(folder, folder / name, "--new-key")
        assert done.exit_code == 0, done.output + done.stderr
    (other,) = (path for path in statements(folder) if path.name not in done.stderr)
    other.unlink()
    return folder


@pytest.fixture
def folder(attested: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(attested, tmp_path / "copy"))


def attest(folder: Path, key: Path, *more: object) -> Result:
    words = [folder / "demo.gguf", "--source", "demo", "--attest", "--key", key, *more]
    return runner.invoke(app, ["verify", *map(str, words)])


def verify(folder: Path, *more: object) -> Result:
    return runner.invoke(app, ["verify", str(folder / "demo.gguf"), *map(str, more)])


def statements(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.attestation.json"))


def test_it_is_an_in_toto_statement_in_a_dsse_envelope(folder: Path) -> None:
    """Read by hand, as anyone can who knows the two formats."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    (path,) = statements(folder)
    envelope = json.loads(path.read_text())
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"]
    assert kind == "application/vnd.in-toto+json"
    key = load_pem_public_key((folder / "me.key.pub").read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    signed = b" ".join([b"DSSEv1", b"28", kind.encode(), str(len(payload)).encode(), payload])
    key.verify(base64.b64decode(envelope["signatures"][0]["sig"]), signed)
    statement = json.loads(payload)
    manifest = json.loads((folder / "demo.manifest.json").read_text())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    subject = {"name": "demo.gguf", "digest": {"sha256": manifest["file"]["sha256"]}}
    assert statement["subject"] == [subject]
    told = statement["predicate"]
    assert told["recipe"] == manifest["recipe"]
    assert told["options"] == manifest["options"]
    shards = [shard["digest"]["sha256"] for shard in told["source"]["shards"]]
    assert shards == [shard["sha256"] for shard in manifest["source"]["shards"]]
    assert (folder / "me.key").stat().st_mode & 0o077 == 0


def test_who_signed_is_said_and_who_must_have(folder: Path) -> None:
    plain = verify(folder)
    assert plain.exit_code == 0
    assert "Q4_0 of QwQ-Demo, made again and equal" in plain.stdout
    assert "nobody's until you --trust it" in plain.stdout
    assert "which you trust" in verify(folder, "--trust", folder / "me.key.pub").stdout
    other = verify(folder, "--trust", folder / "other.key.pub")
    assert other.exit_code == 1
    assert "none of the trusted keys" in other.stdout
    both = [word for name in ("other", "me") for word in ("--trust", folder / f"{name}.key.pub")]
    assert verify(folder, *both).exit_code == 0
    (path,) = statements(folder)
    before = path.read_bytes()
    assert attest(folder, folder / "me.key").exit_code == 0
    assert path.read_bytes() == before
    path.unlink()
    assert verify(folder, "--trust", folder / "me.key.pub").exit_code == 1


def test_words_that_were_changed_are_not_the_signers(folder: Path) -> None:
    (path,) = statements(folder)
    envelope = json.loads(path.read_text())
    statement = base64.b64decode(envelope["payload"]).replace(b"QwQ-Demo", b"GPT-Demo")
    envelope["payload"] = base64.b64encode(statement).decode()
    path.write_text(json.dumps(envelope))
    done = verify(folder)
    assert done.exit_code == 1
    assert "is not by the key that it names" in done.stdout


def test_it_is_about_these_bytes_alone(folder: Path) -> None:
    gguf = folder / "demo.gguf"
    data = bytearray(gguf.read_bytes())
    data[-1] ^= 1
    gguf.write_bytes(data)
    (folder / "demo.manifest.json").unlink()
    done = verify(folder)
    assert done.exit_code == 1
    assert "about other bytes than these" in done.stdout


def test_nothing_is_said_of_what_the_recipe_does_not_make(folder: Path) -> None:
    """Other keys, and another recipe, than the manifest tells: the rows alone would agree."""
    statements(folder)[0].unlink()
    manifest = folder / "demo.manifest.json"
    kept = manifest.read_text()
    told = json.loads(kept)
    told["recipe"]["text"] = told["recipe"]["text"].replace("Q4_0", "Q8_0")
    manifest.write_text(json.dumps(told))
    assert "recipe: demo.gguf" in attest(folder, folder / "me.key").stdout
    told = json.loads(kept)
    told["source"]["shards"][0]["sha256"] = "0" * 64
    manifest.write_text(json.dumps(told))
    assert "made from other shards" in attest(folder, folder / "me.key").stdout
    manifest.write_text(kept)
    changed = ["set", str(folder / "demo.gguf"), "--kv", "general.name=Another"]
    assert runner.invoke(app, changed).exit_code == 0
    done = attest(folder, folder / "me.key")
    assert done.exit_code == 1
    assert "can be given again: set" in done.stdout
    told = json.loads(manifest.read_text())
    del told["options"]["set"]
    manifest.write_text(json.dumps(told))
    assert "its header is not the one" in attest(folder, folder / "me.key").stdout
    assert statements(folder) == []


def test_every_byte_is_looked_at(folder: Path) -> None:
    """Header and length; what lies between is in tests/verification/test_attestation.py."""
    gguf = folder / "demo.gguf"
    plan = plan_models(Wanted("demo", recipes=("Q4_0",))).jobs[0].plan
    assert compare_with_plan(read_splits(gguf), plan) == []
    kept = gguf.read_bytes()
    gguf.write_bytes(kept.replace(b"QwQ Demo", b"QwQ Dema", 1))
    (found,) = compare_with_plan(read_splits(gguf), plan)
    assert "its header" in found.what
    gguf.write_bytes(kept + b"\0")
    (found,) = compare_with_plan(read_splits(gguf), plan)
    assert "by the recipe" in found.what


def test_flags_that_need_each_other(folder: Path) -> None:
    gguf = folder / "demo.gguf"
    for words, said in (
        (["--attest"], "--attest goes with --source"),
        (["--source", "demo", "--attest"], "needs --key"),
        (["--key", "x"], "go with --attest"),
        (["--trust", folder / "demo.gguf"], "no public key"),
        (["--source", "demo", "--attest", "--key", gguf], "no private key"),
    ):
        done = verify(folder, *words)
        assert done.exit_code == 2, done.output
        assert said in done.stderr


def test_of_a_file_on_the_hub_they_come_along(folder: Path, hub: LoopbackHub) -> None:
    files = {path.name: path for path in folder.iterdir() if path.suffix in (".gguf", ".json")}
    hub.add("me/demo-GGUF", files)
    words = ["verify", "me/demo-GGUF:demo.gguf", "--trust", str(folder / "me.key.pub")]
    done = runner.invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "which you trust" in done.stdout
