"""`qwq-gguf quantize --split-max-size`: a model in several files, and every use of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.cli.flags.limits import read_split
from qwq_gguf.gguf_file import read_gguf, read_splits
from qwq_gguf.quantization.planning.split import SplitRule
from support.checkpoints import write_checkpoint
from support.modelfile import parse

runner = CliRunner()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("models") / "Tiny-1B", shards=2)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def first(checkpoint: Path, here: Path) -> str:
    """The name of a split model's first file."""
    done = run("quantize", checkpoint, "-r", "Q8_0", "--split-max-size", "0.5M")
    assert done.exit_code == 0, done.output
    return next(path.name for path in here.glob("*-00001-of-*.gguf"))


def run(*arguments: object) -> Result:
    return runner.invoke(app, [*map(str, arguments)])


@pytest.mark.parametrize(
    ("size", "tensors", "bare", "expected"),
    [
        (None, None, False, None),
        ("8G", None, False, SplitRule(max_bytes=8_000_000_000)),
        ("8GB", None, False, SplitRule(max_bytes=8_000_000_000)),
        ("8 gb", None, False, SplitRule(max_bytes=8_000_000_000)),
        ("500m", None, True, SplitRule(max_bytes=500_000_000, bare_first=True)),
        ("1.5G", None, False, SplitRule(max_bytes=1_500_000_000)),
        ("2GiB", None, False, SplitRule(max_bytes=2 << 30)),
        ("1T", None, False, SplitRule(max_bytes=10**12)),
        (None, 128, True, SplitRule(max_tensors=128, bare_first=True)),
    ],
)
def test_what_the_flags_mean(
    size: str | None, tensors: int | None, bare: bool, expected: SplitRule | None
) -> None:
    assert read_split(size, tensors, bare_first=bare) == expected


@pytest.mark.parametrize("size", ["", "8", "G", "-1G", "0G", "0.0M", "8K", "1e9G", "8GX", "٨G"])
def test_sizes_that_are_none(size: str) -> None:
    with pytest.raises(typer.BadParameter, match="such as 8G or 500M"):
        read_split(size, None, bare_first=False)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--split-max-size", "1G", "--split-max-tensors", "5"], "name one of them"),
        (["--no-tensor-first-split"], "goes with --split-max-size"),
        (["--split-max-tensors", "0"], "--split-max-tensors"),
    ],
)
def test_flags_that_do_not_go_together(
    checkpoint: Path, here: Path, flags: list[str], words: str
) -> None:
    refused = run("quantize", checkpoint, *flags)
    assert refused.exit_code == 2
    assert words in refused.stderr
    assert list(here.iterdir()) == []


def test_the_parts_are_planned_and_named(checkpoint: Path, here: Path) -> None:
    flags = ("-r", "Q8_0", "--split-max-size", "0.5M")
    plan = json.loads(run("quantize", checkpoint, *flags, "--dry-run", "--json").stdout)
    shown = run("quantize", checkpoint, *flags, "--dry-run")
    assert list(here.iterdir()) == []
    done = run("quantize", checkpoint, *flags, "--no-manifest")
    assert done.exit_code == 0, done.output
    files = sorted(here.glob("*.gguf"))
    assert [path.name for path in files] == [part["name"] for part in plan["parts"]]
    assert [path.stat().st_size for path in files] == [part["file_bytes"] for part in plan["parts"]]
    assert sum(path.stat().st_size for path in files) == plan["file_bytes"]
    for number, (path, part) in enumerate(zip(files, plan["parts"], strict=True)):
        read = read_gguf(path)
        assert (len(read.tensors), read.data_offset) == (part["tensors"], part["data_offset"])
        assert [(t.name, t.offset) for t in read.tensors] == [
            (row["name"], read.data_offset + row["offset"])
            for row in plan["tensors"]
            if row["part"] == number
        ]
        size = f"{part['file_bytes']:,} bytes"
        assert f"would write {path.name}: {size}" in shown.stderr
    assert f"in {len(files)} files" in done.stderr
    modelfile = here / "Tiny-1B-Q8_0.Modelfile"
    assert froms(modelfile.read_text()) == [f"./{path.name}" for path in files]


def test_what_fits_into_one_file_has_the_plain_name(checkpoint: Path, here: Path) -> None:
    assert run("quantize", checkpoint, "--split-max-size", "8G", "--no-modelfile").exit_code == 0
    assert sorted(path.name for path in here.iterdir()) == [
        "Tiny-1B-Q4_K_M.gguf",
        "Tiny-1B-Q4_K_M.manifest.json",
    ]
    assert read_gguf(here / "Tiny-1B-Q4_K_M.gguf").integer("split.count") is None


def test_the_weights_are_those_of_the_single_file(first: str, checkpoint: Path, here: Path) -> None:
    assert run("quantize", checkpoint, "one.gguf", "-r", "Q8_0").exit_code == 0
    one = read_gguf(here / "one.gguf")
    whole = (here / "one.gguf").read_bytes()
    parts = read_splits(first)
    assert [tensor.name for _, tensor in parts.tensors] == [tensor.name for tensor in one.tensors]
    for (part, tensor), other in zip(parts.tensors, one.tensors, strict=True):
        content = part.path.read_bytes()
        assert (tensor.type, tensor.shape) == (other.type, other.shape)
        assert content[tensor.offset :][: tensor.nbytes] == whole[other.offset :][: other.nbytes]
    assert run("verify", first, "--against", "one.gguf").exit_code == 0


def test_verify_looks_at_all_files(first: str, here: Path) -> None:
    good = run("verify", first)
    assert good.exit_code == 0, good.output
    assert good.stdout.endswith("nothing differs\n")
    assert "odd" not in good.stdout
    last = max(path for path in here.iterdir() if path.suffix == ".gguf")
    content = bytearray(last.read_bytes())
    content[-40] ^= 1
    last.write_bytes(content)
    bad = run("verify", first, "--json")
    assert bad.exit_code == 1
    (found,) = json.loads(bad.stdout)["findings"]
    assert found["where"] in {tensor.name for tensor in read_gguf(last).tensors}


def test_the_manifest_says_how_it_was_cut(first: str, here: Path) -> None:
    said = json.loads((here / first.replace(".gguf", ".manifest.json")).read_text())
    assert said["options"]["split"] == {
        "max_bytes": 500_000,
        "max_tensors": None,
        "bare_first": False,
    }
    assert [file["name"] for file in said["files"]] == sorted(
        path.name for path in here.glob("*.gguf")
    )


def test_one_of_its_files_is_missing(first: str, here: Path) -> None:
    gone = sorted(path for path in here.iterdir() if path.suffix == ".gguf")[1]
    gone.unlink()
    refused = run("verify", first)
    assert refused.exit_code == 1
    assert gone.name in refused.stderr


def test_inspect_sees_the_whole_model(first: str, checkpoint: Path, here: Path) -> None:
    assert run("quantize", checkpoint, "one.gguf", "-r", "Q8_0").exit_code == 0
    parts = json.loads(run("inspect", first, "--json").stdout)
    one = json.loads(run("inspect", "one.gguf", "--json").stdout)
    assert parts["files"] == len(read_splits(first).parts)
    assert one["files"] == 1
    for key in ("weights", "types", "layers", "vocabulary", "sampling", "oddities"):
        assert parts[key] == one[key], key
    assert f"in {parts['files']} files" in run("inspect", first).stdout


def froms(modelfile: str) -> list[str]:
    return [words[1] for words in parse(modelfile) if words[0] == "FROM"]


def test_a_modelfile_names_every_part(first: str) -> None:
    parts = [part.path.name for part in read_splits(first).parts]
    assert len(parts) > 1
    made = run("modelfile", first)
    assert made.exit_code == 0, made.output
    assert froms(made.stdout) == [f"./{part}" for part in parts]
    assert "ollama create tiny-1b-q8_0 -f Modelfile" in made.stderr
    exported = run("export", "ollama", first)
    assert exported.exit_code == 0, exported.output
    assert froms(Path("ollama/Modelfile").read_text()) == [f"../{part}" for part in parts]


def test_parts_behind_links_keep_their_names(first: str, here: Path) -> None:
    # As in the Hub's cache, where a file is a link to one that is named by its digest.
    (here / "cache").mkdir()
    for number, part in enumerate(sorted(here.glob("*.gguf"))):
        (here / "cache" / part.name).symlink_to(part.rename(here / f"blob{number}"))
    made = run("modelfile", f"cache/{first}")
    assert made.exit_code == 0, made.output
    assert all(name.startswith("./cache/Tiny-1B-Q8_0-") for name in froms(made.stdout))


def test_other_runtimes_take_the_first_file(first: str) -> None:
    assert run("export", "llama-server", first).exit_code == 0
    assert first in Path("llama-server/preset.ini").read_text()


def test_set_changes_the_first_file_in_place(first: str) -> None:
    changed = run("set", first, "--kv", "general.sampling.temp=0.7")
    assert changed.exit_code == 0, changed.output
    assert "changed in place" in changed.stderr
    assert run("verify", first).exit_code == 0
    assert read_splits(first).head.number("general.sampling.temp") == pytest.approx(0.7)


@pytest.mark.parametrize("flags", [[], ["--no-tensor-first-split"]])
def test_llama_cpp_says_the_same(here: Path, flags: list[str]) -> None:
    asked = ("-p", "What is 7*43?", "--seed", "1", "--top-k", "1", "-n", "24", "-t", "1", "--json")
    split = ("--split-max-size", "1M", *flags)
    for out, how in (("one.gguf", ()), ("m.gguf", split)):
        made = run("quantize", "demo", out, *how, "--no-manifest", "--no-modelfile")
        assert made.exit_code == 0, made.output
    parts = sorted(path.name for path in here.iterdir() if path.name.startswith("m-"))
    assert len(parts) > 3
    said = [run("chat", name, *asked) for name in ("one.gguf", parts[0])]
    assert [each.exit_code for each in said] == [0, 0], said[1].output
    one, several = (json.loads(each.stdout) for each in said)
    assert one["thinking"] == several["thinking"] != ""
