"""Logit biases and grammars in a profile's TOML."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from qwq_gguf.errors import ChainError, ProfileError
from qwq_gguf.metadata import KeyValue, f32, text
from qwq_gguf.profiles import load_profile, parse_profile, resolve
from qwq_gguf.profiles.gguf_keys import read_sampling, sampling_keys
from qwq_gguf.sampling import Dist, Grammar, LogitBias, TopK

HEAD = """
schema = 1
name = "bound"
description = "d"
[chain]
order = ["logit_bias", "grammar", "top_k", "dist"]
source = "s"
[chain.top_k]
value = 40
source = "s"
"""
BIAS = '[chain.logit_bias]\nvalue = {}\nsource = "why"\n'
GRAMMAR = '[chain.grammar]\n{}\nsource = "why"\n'


def test_tokens_by_id_or_text_and_numbers_or_false() -> None:
    profile = parse_profile(
        HEAD + BIAS.format('[["Wait", -2.5], [7, false], [" so", -inf], [8, 1]]')
    )
    stage = profile.chain.stage(LogitBias)
    assert stage == LogitBias((("Wait", -2.5), (7, -math.inf), (" so", -math.inf), (8, 1)))
    assert profile.sources["logit_bias"] == "why"
    assert profile.notes() == ("grammar does nothing: it is empty",)


@pytest.mark.parametrize(
    "value",
    [
        '"Wait"',
        "[1, 2]",
        "[[1]]",
        "[[1, 2, 3]]",
        "[[1, true]]",
        "[[1, inf]]",
        "[[1.5, 1]]",
        "[[1, 1979-05-27]]",
    ],
)
def test_biases_that_are_none(value: str) -> None:
    with pytest.raises(ProfileError, match="logit_bias"):
        parse_profile(HEAD + BIAS.format(value))


def test_a_grammar_as_text_and_as_a_file_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "grammars").mkdir()
    (tmp_path / "grammars" / "answer.gbnf").write_text("root ::= [0-9]+ # é\n", encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(HEAD + GRAMMAR.format('file = "grammars/answer.gbnf"'))
    profile = load_profile(path)
    assert profile.chain.stages == (
        LogitBias(),
        Grammar("root ::= [0-9]+ # é\n"),
        TopK(40),
        Dist(),
    )
    scoped = "[chain.grammar_scope]\nvalue = 'reply'\nsource = 's'\n"
    inline = parse_profile(HEAD + GRAMMAR.format("value = 'root ::= \"a\"'") + scoped)
    assert inline.chain.stage(Grammar) == Grammar('root ::= "a"', scope="reply")


@pytest.mark.parametrize(
    "entry, words",
    [
        ("value = 'root ::= ['", "no closing ]"),
        ("value = 7", "grammar: text is not text"),
        ("", "chain.grammar has no value"),
        ("value = 'root ::= \"a\"'\nfile = 'a.gbnf'", "unknown key chain.grammar.value"),
        ("file = '../outside.gbnf'", "no file within the profile's folder"),
        ("file = 'link.gbnf'", "no file within the profile's folder"),
        ("file = 'missing.gbnf'", "no file within the profile's folder"),
        ("file = '.'", "no file within the profile's folder"),
        ("file = 'pipe.gbnf'", "no file within the profile's folder"),
        ('file = "nul\\u0000.gbnf"', "no file within the profile's folder"),
        ("file = 'large.gbnf'", "too large"),
        ("file = 'latin.gbnf'", "is not UTF-8"),
        ("file = ''", "chain.grammar.file must be a text"),
    ],
)
def test_grammars_that_are_refused(entry: str, words: str, tmp_path: Path) -> None:
    folder = tmp_path / "profiles"
    folder.mkdir()
    outside = tmp_path / "outside.gbnf"
    outside.write_text('root ::= "secret"')
    (folder / "link.gbnf").symlink_to(outside)
    (folder / "large.gbnf").write_bytes(b"#" * 70_000)
    (folder / "latin.gbnf").write_bytes(b'root ::= "\xe9"')
    os.mkfifo(folder / "pipe.gbnf")
    path = folder / "mine.toml"
    path.write_text(HEAD + GRAMMAR.format(entry))
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
    absolute = HEAD + GRAMMAR.format(f"file = '{outside}'")
    path.write_text(absolute)
    with pytest.raises(ProfileError, match="no file within"):
        load_profile(path)


def test_a_profile_that_is_no_file_names_none() -> None:
    with pytest.raises(ProfileError, match="without a folder"):
        parse_profile(HEAD + GRAMMAR.format('file = "a.gbnf"'))


def test_a_grammar_outside_the_order_is_said_to_do_nothing() -> None:
    text = HEAD.replace('"logit_bias", "grammar", ', "") + GRAMMAR.format(
        "value = 'root ::= \"a\"'"
    )
    assert parse_profile(text).notes() == (
        "grammar does nothing: it is set, but the order has no such stage",
    )
    with pytest.raises(ChainError, match="begin with itself"):
        parse_profile(text.replace('"a"', "root"))


def test_a_gguf_carries_neither() -> None:
    profile = parse_profile(
        HEAD + BIAS.format("[[7, 1.0]]") + GRAMMAR.format("value = 'root ::= \"a\"'")
    )
    made = sampling_keys(profile, context=4096)
    keys = {key.key: key.value for key in made.keys}
    assert keys["general.sampling.sequence"] == "top_k"
    assert made.unsaid == (
        "logit_bias: GGUF has no key for it",
        "grammar: GGUF has no key for it",
    )
    # Nor are their names taken from a sequence.
    found = read_sampling({"s": text("s", ""), **_sequence("grammar;logit_bias;top_k")})
    assert found.order == ("top_k",)
    assert len(found.notes) == 2


def test_flags_count_beside_what_the_file_says() -> None:
    metadata = _sequence("top_k;temperature") | {
        "general.sampling.temp": f32("general.sampling.temp", 0.5)
    }
    resolved = resolve(metadata, overrides={"grammar": 'root ::= "a"', "logit_bias": ((7, 1.0),)})
    assert resolved.profile.chain.order[:2] == ("logit_bias", "grammar")
    assert resolved.origins["grammar"] == "a flag"
    assert resolved.origins["temperature"] == "general.sampling.temp in the file"


def _sequence(names: str) -> dict[str, KeyValue]:
    return {"general.sampling.sequence": text("general.sampling.sequence", names)}
