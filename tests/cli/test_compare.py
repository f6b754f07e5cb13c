"""`qwq-gguf profiles --compare`: two profiles at one position of a real reply."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.llama.native_chain import NativeChain
from qwq_gguf.engine.logits_along import positions
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.profiles import load_profile
from qwq_gguf.resources import profiles_dir
from support.tiny_gguf import write_random

runner = CliRunner()


@pytest.fixture(scope="module")
def babbler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model, unsure of everything."""
    return write_random(tmp_path_factory.mktemp("babbler") / "babbler.gguf", seed=4)


def profiles(*arguments: object) -> Result:
    return runner.invoke(app, ["profiles", *map(str, arguments)])


def compared(file: Path, *arguments: object, names: str = "qwq llama-cpp") -> dict[str, Any]:
    done = profiles("--compare", *names.split(), "-m", file, "-p", "Hi", "--json", *arguments)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("other", ["llama-cpp", "unsloth"])  # the second looks for repeats
@pytest.mark.parametrize("at", [9, 61])
def test_what_is_shown_is_what_the_native_chains_do(babbler: Path, other: str, at: int) -> None:
    names = ("qwq", other)
    found = compared(babbler, "--at", at, names=" ".join(names))
    assert (found["schema"], found["position"]) == ("qwq-gguf/profiles-compare/1", at)
    with Model.load(babbler, threads=1) as model:
        session = Session(model)
        prompt = Conversation(model, load_profile("qwq"), session=session).prompt_tokens("Hi")
        *_, place = positions(session, prompt, most=at + 1)
        assert (
            b"".join(map(model.piece, place.generated)).decode("utf-8", "replace")
            == (found["before"])
        )
        for name, about in zip(names, found["profiles"], strict=True):
            chain = load_profile(name).chain
            assert about["order"] == list(chain.order)
            with NativeChain.of(model, chain, seed=1, prompt=prompt) as native:
                for token in place.generated:
                    native.accept(token)
                kept = {t: p for t, p in native.apply(place.logits.tolist()).kept if p > 0}
            told = {t["id"]: t["profiles"][name] for t in found["tokens"]}
            assert about["kept"] == len(kept)
            assert {token for token, p in told.items() if p} == kept.keys()
            for token, p in kept.items():
                assert told[token] == pytest.approx(p, rel=1e-3, abs=1e-6)


def test_without_a_place_it_is_where_they_differ_most(babbler: Path) -> None:
    widest = compared(babbler)
    assert 0 < widest["difference"] <= 1
    for at in (0, 1, 5, widest["position"]):
        assert compared(babbler, "--at", at)["difference"] <= widest["difference"]
    again = compared(babbler, "--at", widest["position"])
    assert again == widest


def test_the_table(babbler: Path) -> None:
    done = profiles("--compare", "qwq", "unsloth", "-m", babbler, "-p", "Hi", "--top", 3)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith("after ")
    assert lines[2].split() == ["token", "model", "qwq", "unsloth"]
    assert lines[4].count(" %") == 3 or "-" in lines[4]
    assert any(line.startswith("and ") and "more token" in line for line in lines)
    (kept,) = (line for line in lines if line.startswith("kept tokens"))
    found = compared(babbler, names="qwq unsloth")
    assert [int(n) for n in kept.split()[2:]] == [about["kept"] for about in found["profiles"]]
    assert lines[-1] == f"they differ by {100 * found['difference']:.2f} %"


def test_two_that_differ_nowhere(babbler: Path, tmp_path: Path) -> None:
    same = tmp_path / "same.toml"
    text = (profiles_dir() / "qwq.toml").read_text(encoding="utf-8")
    same.write_text(text.replace('name = "qwq"', 'name = "same"'), encoding="utf-8")
    arguments = ("--compare", "qwq", same, "-m", babbler, "-p", "Hi")
    searched = profiles(*arguments).stdout.splitlines()[-1]
    assert searched == "they differ nowhere in the first 64 tokens of the reply"
    assert profiles(*arguments, "--at", 3).stdout.splitlines()[-1] == "they differ by 0.00 %"


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_a_picture(babbler: Path, tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / f"x{suffix}"
    arguments = ("--compare", "qwq", "llama-cpp", "-m", babbler, "-p", "Hi", "--plot", picture)
    first = profiles(*arguments)
    assert first.exit_code == 0, first.output
    drawn = picture.read_bytes()
    assert drawn.startswith(b"\x89PNG" if suffix == ".png" else b"<?xml")
    kept = profiles(*arguments)
    assert kept.exit_code == 1
    assert "exists already" in kept.stderr
    assert profiles(*arguments, "--force").exit_code == 0
    assert picture.read_bytes() == drawn, "the same picture has the same bytes"


def test_a_token_is_no_formula(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from qwq_gguf.cli.showing.chain_plot import save_comparison
    from qwq_gguf.sampling.compare import compare_chains

    chains = {name: load_profile(name).chain for name in ("qwq", "llama-cpp")}
    texts = ["$\\frac{", "$x$", "\u5317\u4eac", "a"]
    result = compare_chains(chains, [1.0, 1.0, 1.0, 0.5])
    save_comparison(tmp_path / "x.svg", result, texts.__getitem__, title="$\\frac{", most=9)
    assert (tmp_path / "x.svg").stat().st_size > 1000


def test_without_matplotlib_the_extra_is_named(
    babbler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    refused = profiles(
        "--compare", "qwq", "unsloth", "-m", babbler, "-p", "Hi", "--plot", tmp_path / "x.svg"
    )
    assert refused.exit_code == 1
    assert refused.stdout == "", "and nothing was computed"
    assert "qwq-gguf[plots]" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--compare", "qwq", "unsloth"], 2, "needs a --model and a --prompt"),
        (["--compare", "qwq", "qwq", "-m", "{}", "-p", "Hi"], 2, "both are qwq"),
        (["--compare", "qwq", "auto", "-m", "{}", "-p", "Hi"], 2, "both are qwq"),
        (["--compare", "qwq", "qvq", "-m", "{}", "-p", "Hi"], 1, "no such profile"),
        (["--compare", "qwq", "unsloth", "-m", "{}", "-p", "Hi", "--plot", "x.pdf"], 2, ".svg"),
        (["qwq", "--compare", "qwq", "unsloth"], 2, "NAME does not go"),
        (["qwq", "--toml", "--json"], 2, "--toml goes with NAME alone"),
        (["-p", "Hi"], 2, "--prompt goes with --compare"),
        (["--top", "3"], 2, "--top goes with --compare"),
        (["qwq", "--force"], 2, "--force goes with --compare"),
        (["qwq", "--revision", "x"], 2, "--revision goes with --compare"),
        (["--compare", "qwq", "unsloth", "-m", "{}", "-p", "Hi", "--force"], 2, "with --plot"),
    ],
)
def test_refusals(babbler: Path, arguments: list[str], status: int, words: str) -> None:
    refused = profiles(*(a.format(babbler) for a in arguments))
    assert refused.exit_code == status, refused.output
    assert words in refused.stderr
    assert refused.stdout == "" or "--json" in arguments


def test_a_reply_that_ends_before(talker: Path) -> None:
    refused = profiles("--compare", "qwq", "unsloth", "-m", talker, "-p", "Hi", "--at", 50)
    assert refused.exit_code == 1
    assert "the reply ends before that" in refused.stderr


def test_a_bias_counts_and_a_grammar_is_left_out(babbler: Path, tmp_path: Path) -> None:
    path = tmp_path / "bound.toml"
    path.write_text(
        'schema = 1\nname = "bound"\ndescription = "d"\n'
        '[chain]\norder = ["logit_bias", "grammar", "dist"]\nsource = "s"\n'
        '[chain.logit_bias]\nvalue = [["a", 60.0], [7, false]]\nsource = "s"\n'
        '[chain.grammar]\nvalue = \'root ::= "x"\'\nsource = "s"\n'
    )
    found = compared(babbler, "--at", 0, names=f"{path} llama-cpp")
    best = max(found["tokens"], key=lambda token: token["profiles"]["bound"])
    assert (best["text"], best["profiles"]["bound"]) == ("a", pytest.approx(1.0))
    shown = profiles("--compare", path, "llama-cpp", "-m", babbler, "-p", "Hi", "--at", 0)
    assert "a grammar is left out" in shown.stdout
    path.write_text(path.read_text().replace('"a", 60.0', '"not one", 1.0'))
    refused = profiles("--compare", path, "llama-cpp", "-m", babbler, "-p", "Hi", "--at", 0)
    assert refused.exit_code == 1
    assert "is not one token" in refused.stderr
