"""Tools by name, and from a user's file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from qwq_gguf.errors import ToolError, UsageError
from qwq_gguf.tools import TOOLS, Calculator, Date, tools_named

PRICES = '''
"""Prices."""
from __future__ import annotations
from dataclasses import dataclass
from os.path import join
import neighbour_of_prices

@dataclass
class Offer:
    price: float

def price(city: str, nights: int = 1) -> float:
    """What a room costs."""
    return Offer(neighbour_of_prices.PRICE).price * nights

def book(city: str) -> str:
    """Book it."""
    return f"booked in {city}"

def bare(city):
    """No types."""

def date() -> str:
    """Another date."""
    return "never"

def _hidden() -> None:
    """Not to be seen."""

NOTHING = 3
'''


@pytest.fixture
def prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "prices.py"
    path.write_text(PRICES)
    (tmp_path / "neighbour_of_prices.py").write_text("PRICE = 80.5\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "neighbour_of_prices", raising=False)
    return path


def test_functions_of_a_file_become_tools(prices: Path) -> None:
    calculator, price, book = tools_named(["calculator", f"{prices}:price", "book"])
    assert isinstance(calculator, Calculator)
    assert price.spec.description == "What a room costs."
    assert price.run({"city": "Rome", "nights": "2"}) == "161.0"
    assert book.run({"city": "Rome"}) == "booked in Rome"


def test_a_name_behind_a_file_is_the_files_first(prices: Path) -> None:
    _, date, calculator = tools_named([f"{prices}:book", "date", "calculator"])
    assert date.run({}) == "never"
    assert isinstance(calculator, Calculator)
    (date, _) = tools_named(["date", f"{prices}:book"])
    assert isinstance(date, Date)


def test_a_file_may_be_named_twice(prices: Path) -> None:
    assert len(tools_named([f"{prices}:book", "book", f"{prices}:price"])) == 2


@pytest.mark.parametrize(
    ("name", "said", "there"),
    [
        ("prices.py", "which function of this file", "price, book, bare, date"),
        ("prices.py:", "which function of this file", "price, book, bare, date"),
        ("prices.py:pric", "no function pric in this file; did you mean price?", "price, book"),
        ("prices.py:_hiden", "no function _hiden", "price, book, bare and 1 more"),
        ("prices.py:NOTHING", "no function NOTHING", "price, book"),
        ("prices.py:bare", "parameter city of the tool bare has no type", ""),
        ("price.py:price", "there is no such file of tools", "neighbour_of_prices.py, prices.py"),
        ("broken.py:f", "is no Python", ""),
        ("fails.py:f", "cannot be run", ""),
        ("leaves.py:f", "cannot be run", ""),
        ("empty.py:f", "no function f in this file", "def name(argument: type)"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(
    prices: Path, name: str, said: str, there: str
) -> None:
    folder = prices.parent
    if name in ("broken.py:f", "fails.py:f", "leaves.py:f", "empty.py:f"):
        (folder / "broken.py").write_text("def f(:\n")
        (folder / "fails.py").write_text("1 / 0\n")
        (folder / "leaves.py").write_text("raise SystemExit(3)\n")
        (folder / "empty.py").write_text("")
    with pytest.raises(UsageError) as caught:
        tools_named([f"{folder}/{name}"])
    assert said in caught.value.message
    assert there in str(caught.value.expected or "")
    assert caught.value.path == f"{folder}/{name.partition(':')[0]}"


def test_two_of_one_name_are_refused(prices: Path) -> None:
    with pytest.raises(UsageError, match="two tools are called date"):
        tools_named(["date", f"{prices}:date"])


def test_a_misspelt_tool_gets_the_nearest() -> None:
    with pytest.raises(ToolError, match="no such tool; did you mean calculator") as caught:
        tools_named(["calculater"])
    assert caught.value.expected == f"{', '.join(TOOLS)}, or FILE.py:FUNCTION"
