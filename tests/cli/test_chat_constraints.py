"""`chat --logit-bias`, `--grammar` and `--grammar-file` with a real model."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from support.tiny_gguf import byte_level, vocab


def chat(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["chat", *map(str, arguments), "-t", "1"])


def test_the_answer_is_bound_and_the_thought_is_not(talker: Path, tmp_path: Path) -> None:
    grammar = 'root ::= ("**It** was" | "**It** is") " 301!"'
    done = chat(talker, "-p", "Hi", "--grammar", grammar)
    assert done.exit_code == 0, done.output
    assert done.stdout == "**It** is 301!\n"
    assert done.stderr.splitlines()[0] == "Let me see."
    file = tmp_path / "answer.gbnf"
    file.write_text(grammar)
    assert chat(talker, "-p", "Hi", "--grammar-file", file).stdout == done.stdout


def test_tokens_are_biased_by_id_and_by_text(talker: Path) -> None:
    number = vocab(["Let me see.", "**It** is", " 301."]).id(byte_level(b" 301."))
    done = chat(talker, "-p", "Hi", "--logit-bias", f"{number}=-inf", "-l", "z=20")
    assert done.stdout == "**It** isz\n"


@pytest.mark.parametrize(
    "given, shown",
    [
        ("7=2.5", "7=2.5"),
        ("7+2.5", "7=2.5"),
        ("7-2.5", "7=-2.5"),
        ("7-inf", "7=-inf"),
        ("7=false", "7=-inf"),
        ("Wait=-2", "'Wait'=-2"),
        (" so==1", "' so='=1"),
        ('"7"=1', "'7'=1"),
        ('"\\n"=1', "'\\n'=1"),
        ('"a=1', "'\"a'=1"),
    ],
)
def test_how_a_bias_is_written(talker: Path, given: str, shown: str) -> None:
    done = chat(talker, "--show-chain", "--logit-bias", given)
    assert done.exit_code == 0, done.output
    row = next(line for line in done.stdout.splitlines() if "logit_bias" in line)
    assert shown in row
    assert row.rstrip().endswith("a flag")


@pytest.mark.parametrize(
    "arguments, status, words",
    [
        (["--logit-bias", "Wait"], 2, "is a token and a number"),
        (["--logit-bias", "Wait=much"], 2, "is a token and a number"),
        (["--logit-bias", "7=inf"], 2, "a bias is out of range"),
        (["--logit-bias", "7=1", "-l", "7=2"], 2, "stands twice"),
        (["--logit-bias", "=1"], 2, "too long, or none"),
        (["--logit-bias", "100000=1"], 1, "a token that this model does not have"),
        (["--logit-bias", "Let me=1"], 1, "is not one token"),
        (["--grammar", "root ::= root"], 2, "can begin with itself"),
        (["--grammar", "root ::= [0-9"], 2, "line 1, column 10"),
        (["--grammar", 'root ::= "a"', "--grammar-file", "x"], 2, "exclude each other"),
        (["--grammar-file", "nowhere.gbnf"], 2, "No such file"),
        (["--grammar", 'root ::= "a"', "--tools", "calculator"], 1, "has no place for tools"),
    ],
)
def test_refusals(talker: Path, arguments: list[str], status: int, words: str) -> None:
    done = chat(talker, "-p", "Hi", *arguments)
    assert done.exit_code == status, done.output
    assert words in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.output


def test_files_that_are_no_grammar(talker: Path, tmp_path: Path) -> None:
    for raw, words in (
        (b"\xff", "not UTF-8"),
        (b" \n", "is empty"),
        (b"#" * 70_000, "larger than"),
    ):
        file = tmp_path / "g.gbnf"
        file.write_bytes(raw)
        done = chat(talker, "-p", "Hi", "--grammar-file", file)
        assert done.exit_code == 2
        assert words in " ".join(done.stderr.replace("│", " ").split())


def test_where_nothing_is_allowed_there_is_an_error_and_no_crash(talker: Path) -> None:
    done = chat(talker, "-p", "Hi", "--grammar", 'root ::= "e"', "-l", "e=-inf")
    assert done.exit_code == 1
    assert "grammar leaves no token" in done.stderr
