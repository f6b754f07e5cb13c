"""`qwq-gguf quantize` and `verify --source` on GGUFs, as people type them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.checkpoint.reader import ShardReader
from qwq_gguf.cli.app import app
from qwq_gguf.ggml_types import FileType, GgmlType
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.gguf_file.header_slack import without_room
from qwq_gguf.metadata import text
from qwq_gguf.verification.manifest import manifest_path
from support.checkpoints import write_checkpoint
from support.hub import LoopbackHub
from support.imatrix import gguf_bytes, random_sums
from support.llama_quantize import quantize as llama_quantize
from support.one_layer import write_one_layer
from support.split_files import cut

runner = CliRunner()
BARE = ("--no-modelfile", "--no-manifest", "--kernels", "ggml")  # nothing to compile
PLAIN = ("--no-sampling-metadata", "--no-repair", *BARE)


def run(*arguments: object) -> Result:
    return runner.invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint and its BF16 file."""
    folder = tmp_path_factory.mktemp("made")
    checkpoint = write_checkpoint(folder / "Tiny-1B")
    assert run("quantize", checkpoint, folder / "Tiny-1B-BF16.gguf", "bf16", *BARE).exit_code == 0
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(made / "Tiny-1B-BF16.gguf", tmp_path)
    return tmp_path


def tensors(path: Path) -> list[tuple[object, ...]]:
    raw = path.read_bytes()
    return [(t.name, t.shape, t.type, raw[t.offset :][: t.nbytes]) for t in read_gguf(path).tensors]


def test_the_same_file_as_from_the_checkpoint(made: Path, here: Path) -> None:
    done = run("quantize", "Tiny-1B-BF16.gguf")
    assert done.exit_code == 0, done.output
    name = "Tiny-1B-Q4_K_M"
    assert sorted(path.name for path in here.iterdir()) == sorted(
        ["Tiny-1B-BF16.gguf", f"{name}.gguf", f"{name}.Modelfile", f"{name}.manifest.json"]
    )
    assert run("quantize", made / "Tiny-1B", here / "direct.gguf", *BARE).exit_code == 0
    assert (here / f"{name}.gguf").read_bytes() == (here / "direct.gguf").read_bytes()
    source = json.loads((here / f"{name}.manifest.json").read_text(encoding="utf-8"))["source"]
    content = (here / "Tiny-1B-BF16.gguf").read_bytes()
    assert source == {
        "name": read_gguf(here / "Tiny-1B-BF16.gguf").text("general.name"),
        "commit": None,
        "shards": [
            {
                "name": "Tiny-1B-BF16.gguf",
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "known_from": "computed",
            }
        ],
    }


@pytest.mark.parametrize("name", ["Q4_K_M", "F16"])
def test_llama_quantize_says_and_holds_the_same(here: Path, name: str) -> None:
    assert run("quantize", "Tiny-1B-BF16.gguf", "ours.gguf", name, *PLAIN).exit_code == 0
    llama_quantize(here / "Tiny-1B-BF16.gguf", here / "theirs.gguf", FileType[name])
    assert tensors(here / "ours.gguf") == tensors(here / "theirs.gguf")
    ours, theirs = (read_gguf(here / f"{who}.gguf").metadata for who in ("ours", "theirs"))
    assert set(without_room(ours.values())) == set(without_room(theirs.values()))


def test_several_recipes_of_a_split_file(here: Path) -> None:
    first, *_ = cut(here / "Tiny-1B-BF16.gguf", 3)
    (here / "out").mkdir()
    done = run("quantize", first, "out", "-r", "q4_k_m", "-r", "q8_0", "--no-modelfile")
    assert done.exit_code == 0, done.output
    for name in ("Q4_K_M", "Q8_0"):
        made = here / "out" / f"Tiny-1B-{name}.gguf"
        whole = run("quantize", "Tiny-1B-BF16.gguf", "whole.gguf", name, "--force", *BARE)
        assert whole.exit_code == 0, whole.output
        assert made.read_bytes() == (here / "whole.gguf").read_bytes()
        record = json.loads(manifest_path(made).read_text(encoding="utf-8"))["source"]
        assert [shard["name"] for shard in record["shards"]] == [
            f"Tiny-1B-BF16-0000{number}-of-00003.gguf" for number in (1, 2, 3)
        ]
        assert run("verify", made, "--source", first, "--all").exit_code == 0


def test_a_dry_run(here: Path) -> None:
    planned = run("quantize", "Tiny-1B-BF16.gguf", "--dry-run", "--json", "-r", "Q5_K_M")
    assert planned.exit_code == 0, planned.output
    assert [path.name for path in here.iterdir()] == ["Tiny-1B-BF16.gguf"]
    assert run("quantize", "Tiny-1B-BF16.gguf", "a.gguf", "-r", "Q5_K_M", *BARE).exit_code == 0
    assert json.loads(planned.stdout)["file_bytes"] == (here / "a.gguf").stat().st_size


def test_flags_work_as_for_checkpoints(here: Path) -> None:
    sums = random_sums({"blk.0.ffn_up.weight": 256, "blk.1.ffn_up.weight": 256})
    (here / "some.imatrix").write_bytes(gguf_bytes(sums))
    done = run(
        *("quantize", "Tiny-1B-BF16.gguf", "a.gguf", "--imatrix", "some.imatrix"),
        *("--tensor-type", "ffn_up=Q5_K", "--name", "Mine", "--override-kv", "a.b=str:c", *BARE),
    )
    assert done.exit_code == 0, done.output
    file = read_gguf(here / "a.gguf")
    assert (file.text("general.name"), file.text("a.b")) == ("Mine", "c")
    assert file.text("quantize.imatrix.file") == "some.imatrix"
    assert {t.type.name for t in file.tensors if "ffn_up" in t.name} == {"Q5_K"}
    checked = run("verify", "a.gguf", "--source", "Tiny-1B-BF16.gguf", "--imatrix", "some.imatrix")
    assert checked.exit_code == 0, checked.output


def test_a_changed_row_is_found_by_its_source(here: Path) -> None:
    assert run("quantize", "Tiny-1B-BF16.gguf", "a.gguf", *BARE).exit_code == 0
    tensor = next(t for t in read_gguf(here / "a.gguf").tensors if "ffn_up" in t.name)
    content = bytearray((here / "a.gguf").read_bytes())
    content[tensor.offset + tensor.nbytes - 3] ^= 4
    (here / "a.gguf").write_bytes(content)
    checked = run("verify", "a.gguf", "--source", "Tiny-1B-BF16.gguf", "--all")
    assert checked.exit_code == 1
    assert f"source: {tensor.name}: not what the source gives" in checked.stdout


def test_a_second_time_only_when_asked(here: Path) -> None:
    assert run("quantize", "Tiny-1B-BF16.gguf", "a.gguf", "q8_0", *BARE).exit_code == 0
    refused = run("quantize", "a.gguf", "b.gguf", "q4_0", *BARE)
    assert refused.exit_code == 1
    assert "a.gguf: these weights are quantized already" in refused.stderr
    assert "Q8_0" in refused.stderr
    assert "--allow-requantize" in refused.stderr
    assert not (here / "b.gguf").exists()
    done = run("quantize", "a.gguf", "b.gguf", "q4_0", "--allow-requantize", *BARE)
    assert done.exit_code == 0, done.output
    assert "warning: quantized a second time" in done.stderr
    assert run("verify", "b.gguf", "--source", "a.gguf", "--all").exit_code == 0
    assert run("verify", "b.gguf", "--source", "Tiny-1B-BF16.gguf", "--all").exit_code == 1
    copied = run("quantize", "a.gguf", "c.gguf", "q8_0", *BARE)
    assert copied.exit_code == 0
    assert "warning" not in copied.stderr
    assert (here / "c.gguf").read_bytes() == (here / "a.gguf").read_bytes()


@pytest.mark.parametrize("link", [False, True])
def test_the_source_is_not_written_over(here: Path, link: bool) -> None:
    before = (here / "Tiny-1B-BF16.gguf").read_bytes()
    if link:
        os.link("Tiny-1B-BF16.gguf", "other.gguf")
    out = "other.gguf" if link else "Tiny-1B-BF16.gguf"
    for force in ([], ["--force"]):
        refused = run("quantize", "Tiny-1B-BF16.gguf", out, "bf16", *force, *BARE)
        assert refused.exit_code == 1
        assert f"{out}: is one of the files that this is made from" in refused.stderr
    assert (here / "Tiny-1B-BF16.gguf").read_bytes() == before


def test_a_weight_that_is_no_number(here: Path) -> None:
    tensor = next(t for t in read_gguf("Tiny-1B-BF16.gguf").tensors if "ffn_up" in t.name)
    content = bytearray(Path("Tiny-1B-BF16.gguf").read_bytes())
    at = tensor.offset + 3 * 2 * tensor.shape[0]
    content[at : at + 2] = np.array([0x7FC0], "<u2").tobytes()
    Path("Tiny-1B-BF16.gguf").write_bytes(content)
    refused = run("quantize", "Tiny-1B-BF16.gguf", "a.gguf", *BARE)
    assert refused.exit_code == 1
    assert tensor.name in refused.stderr
    assert "row 3" in refused.stderr
    assert not Path("a.gguf").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda raw: raw[:-64], "truncated"),
        (lambda raw: b"GGUF" + b"\0\0\0\3" + raw[8:], "big-endian"),
        (lambda raw: b"GGUF" + b"\1\0\0\0" + raw[8:], "expected: 2 or 3"),
        (lambda raw: raw[:8] + b"\xff" * 7 + b"\0" + raw[16:], "claims more tensors"),
    ],
)
def test_a_broken_file_writes_nothing(here: Path, change: object, words: str) -> None:
    path = here / "Tiny-1B-BF16.gguf"
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    refused = run("quantize", path.name, "a.gguf", *BARE)
    assert refused.exit_code == 1
    assert words in refused.stderr
    assert [entry.name for entry in here.iterdir()] == ["Tiny-1B-BF16.gguf"]


def test_a_source_that_shrinks_in_mid_run(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = ShardReader.read

    def shrink(self: ShardReader, *arguments: object) -> bytes:
        os.truncate("Tiny-1B-BF16.gguf", 4096)
        return read(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ShardReader, "read", shrink)
    refused = run("quantize", "Tiny-1B-BF16.gguf", "a.gguf", *BARE)
    assert refused.exit_code == 1
    assert "error: Tiny-1B-BF16.gguf: " in refused.stderr
    assert "shorter" in refused.stderr
    assert not (here / "a.gguf").exists()


def test_a_file_that_is_not_there(here: Path) -> None:
    refused = run("quantize", "none.gguf")
    assert refused.exit_code == 1
    assert "none.gguf: there is no such file" in refused.stderr


def test_a_later_part_or_a_missing_one(here: Path) -> None:
    _, second = cut(here / "Tiny-1B-BF16.gguf", 2)
    assert run("quantize", second, "a.gguf", *BARE).exit_code == 0  # any part names the model
    second.unlink()
    refused = run("quantize", "Tiny-1B-BF16-00001-of-00002.gguf", "b.gguf", *BARE)
    assert refused.exit_code == 1
    assert "files of this split model are missing" in refused.stderr


def test_an_exact_file_of_the_hub(hub: LoopbackHub, here: Path) -> None:
    parts = cut(here / "Tiny-1B-BF16.gguf", 2)
    commit = hub.add("org/Tiny-GGUF", {f"BF16/{path.name}": path.read_bytes() for path in parts})
    planned = run("quantize", "org/Tiny-GGUF:BF16", "--dry-run", "--json")
    assert planned.exit_code == 0, planned.output
    asked = hub.seen("file=")
    assert asked
    assert all(request.span for request in asked)
    done = run("quantize", "org/Tiny-GGUF:BF16", "--no-modelfile")
    assert done.exit_code == 0, done.output
    out = here / "Tiny-1B-Q4_K_M.gguf"
    assert json.loads(planned.stdout)["file_bytes"] == out.stat().st_size
    assert run("quantize", "Tiny-1B-BF16.gguf", "local.gguf", *BARE).exit_code == 0
    assert out.read_bytes() == (here / "local.gguf").read_bytes()
    source = json.loads(manifest_path(out).read_text(encoding="utf-8"))["source"]
    assert (source["name"], source["commit"]) == ("org/Tiny-GGUF", commit)
    assert [(shard["name"], shard["known_from"]) for shard in source["shards"]] == [
        (path.name, "computed") for path in parts
    ]
    assert run("verify", out, "--source", "org/Tiny-GGUF:BF16").exit_code == 0


def test_a_repository_of_ggufs_names_its_exact_one(hub: LoopbackHub, here: Path) -> None:
    content = (here / "Tiny-1B-BF16.gguf").read_bytes()
    hub.add("org/Tiny-GGUF", {"Tiny-F16.gguf": content, "Tiny-Q4_0.gguf": content})
    refused = run("quantize", "org/Tiny-GGUF")
    assert refused.exit_code == 1
    assert "or quantize org/Tiny-GGUF:F16" in refused.stderr


def test_names_and_texts_of_a_stranger(here: Path) -> None:
    """Controls and bytes that are no text pass through the file, and not to the terminal."""
    name = "blk.0.\x1b[31m\udcff\n.weight"
    path = write_one_layer(
        here / "odd.gguf",
        GgmlType.F16,
        bytes(2048),
        keys=[text("general.name", "../\x1b]0;x\x07\udcfe"), text("zz.\udcff", "\x1b[2J")],
        more={name: ((256, 4), GgmlType.F16, bytes(2048))},
    )
    shown = run("quantize", path, "--dry-run", "--json")
    assert shown.exit_code == 0, shown.output
    done = [shown, run("quantize", path, "--dry-run"), run("quantize", path, "--kernels", "ggml")]
    (made,) = here.glob("*-Q4_K_M.gguf")
    assert made.name == "0-x-Q4_K_M.gguf"
    done.append(run("verify", made, "--source", path))
    assert [result.exit_code for result in done] == [0, 0, 0, 0]
    assert not any(sign in result.output for result in done for sign in "\x1b\x07\udcff")
    file = read_gguf(made)
    assert name in {tensor.name for tensor in file.tensors}
    assert file.text("zz.\udcff") == "\x1b[2J"


def test_a_source_whose_tensor_holds_no_weights(here: Path) -> None:
    name = "blk.0.table.weight"

    def with_table(file: str, kind: GgmlType) -> Path:
        content = bytes(kind.row_bytes(256) * 4)
        more = {name: ((256, 4), kind, content)}
        return write_one_layer(here / file, GgmlType.F16, bytes(2048), more=more)

    good, bad = with_table("good.gguf", GgmlType.F16), with_table("bad.gguf", GgmlType.I32)
    assert run("quantize", good, "a.gguf", "q8_0", *BARE).exit_code == 0
    refused = run("quantize", bad, "b.gguf", "q8_0", "--allow-requantize", *BARE)
    assert refused.exit_code == 1
    assert f"{name} cannot become Q8_0" in refused.stderr
    checked = run("verify", "a.gguf", "--source", bad)
    assert checked.exit_code == 1
    assert f"source: {name}: I32 holds no weights" in checked.stdout


def test_a_damaged_block_is_found_where_it_is(here: Path) -> None:
    rows = np.zeros((4, 8, 34), dtype=np.uint8)
    rows[2, 5, 1] = 0x7C  # the scale is infinite
    path = write_one_layer(here / "odd.gguf", GgmlType.Q8_0, rows.tobytes())
    for recipe in ("q4_0", "q8_0"):
        refused = run("quantize", path, "a.gguf", recipe, "--allow-requantize", *BARE)
        assert refused.exit_code == 1
        assert "a block that is no Q8_0, in row 2" in refused.stderr
    assert not (here / "a.gguf").exists()
