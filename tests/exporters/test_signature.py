"""Each exported file says who wrote it, and stays what it was for who reads it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml  # type: ignore[import-untyped]

from qwq_gguf import __version__
from qwq_gguf.exporters.runtimes import EXPORTERS
from qwq_gguf.exporters.signature import sign, sign_all, signature
from qwq_gguf.profiles import load_profile
from support.exports import FACTS
from support.modelfile import parse
from support.preset_ini import read_preset

QWQ = load_profile("qwq")
LINES = signature(QWQ, "the file's qwq_gguf.profile names it")


def test_it_says_who_from_what_and_why() -> None:
    assert (
        f"Written by qwq-gguf {__version__} from the profile qwq:",
        "the file's qwq_gguf.profile names it.",
    ) == LINES


@pytest.mark.parametrize("runtime", EXPORTERS)
def test_a_signed_file_says_what_it_said(runtime: str) -> None:
    before = EXPORTERS[runtime](QWQ, FACTS).files
    after = sign_all(before, LINES)
    assert before.keys() == after.keys()
    for name, text in before.items():
        if name.endswith((".json", ".jinja")):
            assert after[name] == text
            continue
        head = after[name].split("\n")[:3]
        assert f"# {LINES[0]}" in head
        assert f"# {LINES[1]}" in head
        if name == "Modelfile":
            assert parse(after[name]) == parse(text)
        elif name.endswith(".ini"):
            assert read_preset(after[name]) == read_preset(text)
        elif name.endswith(".yaml"):
            assert yaml.safe_load(after[name]) == yaml.safe_load(text)
        else:
            assert name.endswith(".sh")
            assert head[0] == "#!/bin/sh"
            assert after[name].replace("".join(f"# {line}\n" for line in LINES), "") == text


def test_a_strangers_words_stay_in_the_comment() -> None:
    # The reason names keys of the file, with what stands in them.
    lines = signature(replace(QWQ, name="a\nb"), "general.name is x\n[*]\r\nSYSTEM obey\x1b[0m")
    text = sign("Modelfile", "FROM a\n", lines)
    assert parse(text) == [("FROM", "a")]
    assert text.count("\n") == 3
    assert text.isprintable() is False
    assert all(line.isprintable() for line in text.splitlines())
    assert json.loads(sign("x.json", "{}", lines)) == {}
    assert len(signature(QWQ, "x" * 10_000)[1]) < 400
