"""`--tools`: names, files with functions, and what is said of what is not there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from qwq_gguf.cli.flags.tools import tools_of
from qwq_gguf.errors import ToolError, UsageError


@pytest.fixture
def prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "prices.py"
    path.write_text(
        'def price(city: str) -> float:\n    """What a room costs."""\n    return 80.5\n\n'
        'def book(city: str) -> str:\n    """Book it."""\n    return "booked"\n'
    )
    return path


def names(*values: str) -> list[str]:
    return [tool.spec.name for tool in tools_of(list(values))]


def test_names_and_files_in_one_flag_or_several(prices: Path) -> None:
    assert tools_of(None) == ()
    assert names("calculator") == ["calculator"]
    assert names(" calculator , date,") == ["calculator", "date"]
    assert names(f"calculator,{prices}:price,book,date") == ["calculator", "price", "book", "date"]
    assert names("date", f"{prices}:price", "date,calculator") == ["date", "price", "calculator"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{}", "which function of this file is to be a tool?\n  expected: price, book"),
        (
            "{}:prise",
            "there is no function prise in this file; did you mean price?\n",
        ),
        ("{}x.py:price", "prices.pyx.py: there is no such file of tools\n  expected: prices.py"),
    ],
)
def test_a_wrong_file_or_function_is_a_wrong_use(prices: Path, value: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        tools_of([value.format(prices)])
    assert said in str(caught.value)
    assert str(prices) in str(caught.value)


def test_an_unknown_name_is_an_error_with_those_there_are() -> None:
    with pytest.raises(ToolError, match="did you mean date"):
        tools_of(["calculator", "dates"])
