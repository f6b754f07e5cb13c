"""An ordinary function as a tool: described by itself, and called with what was checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest

from qwq_gguf.errors import ToolError, UsageError
from qwq_gguf.tools import Calculator, FunctionTool, as_tools


def book(
    city: str,
    nights: int = 1,
    *,
    board: Literal["none", "half"] = "none",
    guests: list[str] | None = None,
    most: float = 100.0,
    pets: bool = False,
    prices: dict[str, float] | None = None,
) -> dict[str, Any]:
    """Book a room
    in a city.

    More that no model needs.

    Args:
        city: Where it is.
        nights (int): How many nights,
            at least one.
    """
    return {"city": city, "nights": nights, "board": board, "guests": guests, "most": most}


def test_the_signature_and_the_docstring_say_all() -> None:
    spec = FunctionTool(book).spec
    assert (spec.name, spec.description) == ("book", "Book a room in a city.")
    assert spec.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Where it is."},
            "nights": {"type": "integer", "description": "How many nights, at least one."},
            "board": {"type": "string", "enum": ["none", "half"]},
            "guests": {"type": "array", "items": {"type": "string"}},
            "most": {"type": "number"},
            "pets": {"type": "boolean"},
            "prices": {"type": "object", "additionalProperties": {"type": "number"}},
        },
        "required": ["city"],
    }


def test_it_is_called_with_what_was_checked() -> None:
    tool = FunctionTool(book)
    assert tool.run({"city": "Rome"}) == (
        '{"city": "Rome", "nights": 1, "board": "none", "guests": null, "most": 100.0}'
    )
    said = tool.run({"city": 7, "nights": "3", "board": "half", "guests": ["a", 1], "most": 2})
    assert said == '{"city": "7", "nights": 3, "board": "half", "guests": ["a", "1"], "most": 2.0}'


def test_a_text_is_the_result_as_it_is() -> None:
    def greet(name: str) -> str:
        """Greet."""
        return f"Hello {name}"

    assert FunctionTool(greet).run({"name": "A"}) == "Hello A"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "city is missing"),
        ({"city": "a", "stars": 1}, "no argument stars; there are: city, nights"),
        ({"city": ["a"]}, "city must be of the type string"),
        ({"city": "a", "nights": 1.5}, "nights must be of the type integer"),
        ({"city": "a", "nights": "many"}, "nights must be of the type integer"),
        ({"city": "a", "nights": True}, "nights must be of the type integer"),
        ({"city": "a", "nights": "9" * 2000}, "nights must be of the type integer"),
        ({"city": "a", "most": {}}, "most must be of the type number"),
        ({"city": "a", "pets": 1}, "pets must be of the type boolean"),
        ({"city": "a", "board": "full"}, 'board must be one of \\["none", "half"\\]'),
        ({"city": "a", "guests": "b"}, "guests must be of the type array"),
        ({"city": "a", "prices": {"x": "y"}}, "prices.x must be of the type number"),
    ],
)
def test_what_a_model_gets_wrong_is_said_to_it(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ToolError, match=said):
        FunctionTool(book).run(arguments)


def untyped(x) -> str:  # type: ignore[no-untyped-def]
    """Do."""
    return str(x)


def silent(x: int) -> int:
    return x


def many(*xs: int) -> int:
    """Do."""
    return sum(xs)


def strange(x: set[int]) -> int:
    """Do."""
    return len(x)


async def later(x: int) -> int:
    """Do."""
    return x


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (untyped, "x of the tool untyped has no type"),
        (silent, "silent has no docstring"),
        (many, r"takes \*xs"),
        (strange, "a type no JSON has"),
        (later, "is asynchronous"),
        (lambda: 1, "a name that a model can write"),
    ],
)
def test_what_cannot_be_described_is_refused(function: Callable[..., Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        FunctionTool(function)


def test_tools_and_functions_together() -> None:
    calculator, made = as_tools([Calculator(), book])
    assert isinstance(calculator, Calculator)
    assert made.spec.name == "book"
    with pytest.raises(UsageError, match="two tools are called book"):
        as_tools([book, book])
    with pytest.raises(UsageError, match="a function or a Tool"):
        as_tools(["calculator"])  # type: ignore[list-item]
