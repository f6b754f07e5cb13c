"""Front matter of model cards."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwq_gguf.checkpoint.model_card import read_card


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return tmp_path / "README.md"


def test_scalars_stay_text(card: Path) -> None:
    card.write_text(
        "---\nlanguage:\n- en\n- no\nversion: 1.10\nrelease: 2025-03-05\ninference: false\n"
        "empty:\nnested:\n  a: [b, c]\n---\nkey: not in the front matter\n"
    )
    assert read_card(card) == {
        "language": ["en", "no"],
        "version": "1.10",
        "release": "2025-03-05",
        "inference": "false",
        "empty": "",
        "nested": {"a": ["b", "c"]},
    }


def test_tabs_and_windows_line_ends(card: Path) -> None:
    card.write_bytes(b"\xef\xbb\xbf---\r\ntags:\r\n\t- chat\r\n---\r\n")
    assert read_card(card) == {"tags": ["chat"]}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# A title, no front matter\n---\nlicense: mit\n---\n",
        "---\nlicense: mit\n",  # never closed
        "---\n- a list\n---\n",
        "---\nkey: [unclosed\n---\n",
        "---\n!!python/object/apply:os.system ['exit 1']\n---\n",
        "---\na: &a [x]\nb: [*a, *a]\n---\n",  # aliases are how YAML bombs are made
        "---\n? " + "[" * 5000 + "\n---\n",
        "---\n\0\n---\n",
    ],
)
def test_anything_else_is_no_card(card: Path, content: str) -> None:
    card.write_text(content)
    assert read_card(card) == {}


def test_no_file(tmp_path: Path) -> None:
    assert read_card(tmp_path / "README.md") == {}
    assert read_card(tmp_path) == {}
