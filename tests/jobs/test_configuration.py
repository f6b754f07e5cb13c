"""What is set for good: by a file, by variables, in that order from behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qwq_gguf.errors import ConfigurationError
from qwq_gguf.jobs.configuration import Said, configuration_path, read_configuration

FILE = """
profile = "qwq"
threads = 3
models = "~/large"
[aliases]
big = "Qwen/QwQ-32B"
[chat]
ctx = 4096
[eval.thinking]
limit = 5
"""


def test_where_the_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    usual = tmp_path / ".config" / "qwq-gguf" / "config.toml"
    assert configuration_path({}) == usual
    assert configuration_path({"XDG_CONFIG_HOME": "relative"}) == usual
    assert configuration_path({"XDG_CONFIG_HOME": "/x"}) == Path("/x/qwq-gguf/config.toml")
    assert configuration_path({"XDG_CONFIG_HOME": "/x", "QWQ_GGUF_CONFIG": "/y"}) == Path("/y")
    assert not read_configuration({"QWQ_GGUF_CONFIG": os.devnull}).is_there
    assert not read_configuration({"QWQ_GGUF_CONFIG": str(tmp_path / "none")}).is_there


def test_all_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.toml"
    path.write_text(FILE, encoding="utf-8")
    found = read_configuration({"QWQ_GGUF_CONFIG": str(path)})
    assert found.general["threads"] == Said(3, str(path))
    assert found.general["models"].value == str(Path("~/large").expanduser())
    assert found.model("big") == "Qwen/QwQ-32B"
    assert found.model("other") == "other"
    assert found.flags["chat"] == {"ctx": Said(4096, str(path))}
    assert found.flags["eval thinking"]["limit"].value == 5


def test_a_variable_goes_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(FILE, encoding="utf-8")
    said = {"QWQ_GGUF_CONFIG": str(path), "QWQ_GGUF_THREADS": "8", "QWQ_GGUF_PROFILE": ""}
    found = read_configuration(said)
    assert found.general["threads"] == Said(8, "QWQ_GGUF_THREADS")
    assert found.general["profile"].value == "qwq", "an empty variable says nothing"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("threads = 0", "threads must be a whole number, 1 to 4096"),
        ("threads = true", "threads must be a whole number"),
        ('theme = "plan"', "did you mean plain?"),
        ('modles = "x"', "did you mean models?"),
        ("[aliases]\nx = 1", "aliases.x must be a text"),
        ('[aliases]\n"../x" = "y"', "an alias is a word"),
        ("[chat", "config.toml"),
        ("a." * 100 + "b = 1", "config.toml"),
        ("x = " + "[" * 100, "config.toml"),
        ("#" * (1 << 19), "too large"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_what_makes_no_sense(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigurationError) as refused:
        read_configuration({"QWQ_GGUF_CONFIG": str(path)})
    assert words in str(refused.value)
    assert refused.value.path == str(path)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("QWQ_GGUF_THREADS", "many"), ("QWQ_GGUF_THREADS", "0"), ("QWQ_GGUF_THEME", "pink")],
)
def test_a_variable_that_makes_no_sense_is_named(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=variable):
        read_configuration({"QWQ_GGUF_CONFIG": os.devnull, variable: value})
