"""`qwq-gguf verify`, and the manifest that `quantize` leaves."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.checkpoint import locate_gguf, open_checkpoint
from qwq_gguf.checkpoint.hub.checkpoint import fetch_weights
from qwq_gguf.cli.app import app
from qwq_gguf.verification.manifest import manifest_path
from support.checkpoints import write_checkpoint
from support.hub import LoopbackHub
from support.imatrix import gguf_bytes, random_sums

runner = CliRunner()


def run(*arguments: object) -> Result:
    return runner.invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("models") / "Tiny-1B")


@pytest.fixture
def gguf(checkpoint: Path, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    done = run("quantize", checkpoint, path, "q4_0", "--no-modelfile", "--pure")
    assert done.exit_code == 0, done.output
    return path


def test_what_was_made_is_as_it_should_be(gguf: Path, checkpoint: Path) -> None:
    done = run("verify", gguf, "--source", checkpoint, "--against", gguf)
    assert done.exit_code == 0, done.output
    digest = json.loads(manifest_path(gguf).read_text(encoding="utf-8"))["file"]["sha256"]
    assert done.stdout.startswith(f"{digest}  tiny.gguf\n")
    assert "Q4_0 of Tiny-1B" in done.stdout
    assert "nothing differs" in done.stdout


def test_what_was_not_looked_at_is_not_vouched_for_nor_missed(gguf: Path) -> None:
    gguf.write_bytes(gguf.read_bytes()[:-100])
    assert manifest_path(gguf).exists()
    done = run("verify", gguf)
    assert done.exit_code == 1
    assert "reaches past the end of the file" in done.stdout
    assert "every block" not in done.stdout
    assert "manifest   none" not in done.stdout


def test_a_changed_byte_is_status_1(gguf: Path) -> None:
    content = bytearray(gguf.read_bytes())
    content[-100] ^= 4
    gguf.write_bytes(content)
    done = run("verify", gguf)
    assert done.exit_code == 1
    assert "manifest: blk." in done.stdout
    answer = run("verify", gguf, "--json")
    assert answer.exit_code == 1
    report = json.loads(answer.stdout)
    assert report["schema"] == "qwq-gguf/verify/1"
    assert report["ok"] is False
    (found,) = (item for item in report["findings"] if item["level"] == "difference")
    assert (found["check"], found["what"]) == (
        "manifest",
        "its data differs from that in the manifest",
    )


def test_options_are_in_the_manifest_and_it_is_the_same_again(gguf: Path, checkpoint: Path) -> None:
    first = manifest_path(gguf).read_bytes()
    assert json.loads(first)["options"]["pure"] is True
    again = run("quantize", checkpoint, gguf, "q4_0", "--no-modelfile", "--pure", "--force", "-t1")
    assert again.exit_code == 0, again.output
    assert manifest_path(gguf).read_bytes() == first


def test_no_manifest_leaves_no_old_one(gguf: Path, checkpoint: Path) -> None:
    done = run("quantize", checkpoint, gguf, "q8_0", "--no-modelfile", "--force", "--no-manifest")
    assert done.exit_code == 0, done.output
    assert not manifest_path(gguf).exists()
    checked = run("verify", gguf)
    assert checked.exit_code == 0
    assert "manifest   none" in checked.stdout
    assert "nothing differs" not in checked.stdout
    assert "nothing vouches for what it holds" in checked.stdout
    report = json.loads(run("verify", gguf, "--json").stdout)
    assert (report["ok"], report["vouched_by"]) == (True, [])
    against = run("verify", gguf, "--against", gguf)
    assert against.stdout.endswith("nothing differs\n")
    source = json.loads(run("verify", gguf, "--source", checkpoint, "--json").stdout)
    assert source["vouched_by"] == ["source"]


def test_a_run_that_fails_leaves_the_old_pair(gguf: Path, checkpoint: Path) -> None:
    before = {path.name: path.read_bytes() for path in gguf.parent.iterdir()}
    assert run("quantize", checkpoint, gguf, "q8_0", "--no-modelfile").exit_code == 1
    assert {path.name: path.read_bytes() for path in gguf.parent.iterdir()} == before


@pytest.mark.parametrize("flags", [["--all"], ["--imatrix", "some.imatrix"]])
def test_what_needs_a_source(gguf: Path, flags: list[str]) -> None:
    assert run("verify", gguf, *flags).exit_code == 2


def test_a_file_among_the_options_is_named_by_its_digest(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = gguf_bytes(random_sums({"blk.0.ffn_up.weight": 256}))
    (tmp_path / "some.imatrix").write_bytes(content)
    out = tmp_path / "tiny.gguf"
    imatrix = ["--imatrix", tmp_path / "some.imatrix"]
    done = run("quantize", checkpoint, out, "q4_k_m", "--no-modelfile", *imatrix)
    assert done.exit_code == 0, done.output
    said = json.loads(manifest_path(out).read_text(encoding="utf-8"))["options"]["imatrix"]
    assert said == {"name": "some.imatrix", "sha256": hashlib.sha256(content).hexdigest()}
    assert run("verify", out, "--source", checkpoint).exit_code == 1
    assert run("verify", out, "--source", checkpoint, *imatrix).exit_code == 0


def test_no_such_file(tmp_path: Path) -> None:
    done = run("verify", tmp_path / "none.gguf")
    assert done.exit_code == 1
    assert "no such file" in done.stderr
    assert "chat" not in done.stderr


def test_a_source_on_the_hub_is_recorded_by_its_commit(
    hub: LoopbackHub, checkpoint: Path, tmp_path: Path
) -> None:
    commit = hub.add_folder("Qwen/Tiny-1B", checkpoint)
    out = tmp_path / "tiny.gguf"
    done = run("quantize", "Qwen/Tiny-1B", out, "q4_0", "--no-modelfile")
    assert done.exit_code == 0, done.output
    source = json.loads(manifest_path(out).read_text(encoding="utf-8"))["source"]
    shard = checkpoint / "model.safetensors"
    assert source == {
        "name": "Qwen/Tiny-1B",
        "commit": commit,
        "shards": [
            {
                "name": shard.name,
                "bytes": shard.stat().st_size,
                "sha256": hashlib.sha256(shard.read_bytes()).hexdigest(),
                "known_from": "computed",
            }
        ],
    }
    assert run("verify", out, "--source", "Qwen/Tiny-1B").exit_code == 0
    assert run("verify", out, "--source", "Qwen/Tiny-1B", "--all").exit_code == 0


def poison(hub: LoopbackHub, repo: str) -> Path:
    """Have a shard in the cache whose bytes are not those that the Hub lists, as a tool that
    does not look would leave it.
    """
    opened = open_checkpoint(repo)
    fetch_weights(opened)
    blob = opened.shards[0].resolve()
    content = bytearray(blob.read_bytes())
    content[-2] ^= 1
    blob.write_bytes(content)
    return opened.shards[0]


def test_a_shard_of_the_cache_that_is_not_what_the_hub_lists(
    hub: LoopbackHub, checkpoint: Path, tmp_path: Path
) -> None:
    """No GGUF is made of it, and no manifest vouches for what was not hashed."""
    hub.add_folder("Qwen/Tiny-1B", checkpoint)
    shard = poison(hub, "Qwen/Tiny-1B")
    out = tmp_path / "out"
    out.mkdir()
    done = run("quantize", "Qwen/Tiny-1B", out / "tiny.gguf", "q4_0", "--no-modelfile")
    assert done.exit_code == 1
    assert "not those that the Hub lists" in done.stderr
    assert shard.name in done.stderr
    assert list(out.iterdir()) == []  # nor anything to go on with
    done = run("quantize", shard.parent, out / "tiny.gguf", "q4_0", "--no-modelfile")
    assert done.exit_code == 1
    assert "not those that the Hub lists" in done.stderr
    # Without a manifest nobody claims anything.
    words = ("q4_0", "--no-modelfile", "--no-manifest")
    done = run("quantize", "Qwen/Tiny-1B", out / "tiny.gguf", *words)
    assert done.exit_code == 0, done.output
    assert [path.name for path in out.iterdir()] == ["tiny.gguf"]
    checked = run("verify", out / "tiny.gguf", "--source", "Qwen/Tiny-1B")
    assert "--all hashes them" in checked.stderr
    checked = run("verify", out / "tiny.gguf", "--source", "Qwen/Tiny-1B", "--all")
    assert checked.exit_code == 1
    assert "not those that the Hub lists" in checked.stderr


def test_an_older_manifest_vouches_for_less(gguf: Path) -> None:
    path = manifest_path(gguf)
    old = path.read_text(encoding="utf-8").replace('"computed"', '"hub"')
    path.write_text(old, encoding="utf-8")
    done = run("verify", gguf)
    assert done.exit_code == 0, done.output
    assert "nobody looked at their bytes" in done.stdout


def test_a_file_of_the_hub_is_held_against_its_listing(hub: LoopbackHub, gguf: Path) -> None:
    hub.add("org/Tiny-GGUF", {"Tiny-Q4_0.gguf": gguf.read_bytes()})
    done = run("verify", "org/Tiny-GGUF")
    assert done.exit_code == 0, done.output
    assert "hub        the digest it lists" in done.stdout
    cached = locate_gguf("org/Tiny-GGUF").path.resolve()
    content = bytearray(cached.read_bytes())
    content[-100] ^= 4
    cached.write_bytes(content)
    done = run("verify", "org/Tiny-GGUF")
    assert done.exit_code == 1
    assert "hub: Tiny-Q4_0.gguf: not the file that the Hub lists" in done.stdout
