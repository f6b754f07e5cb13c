import pytest

from qwq_gguf.evaluate.grade import boxed, is_right
from qwq_gguf.evaluate.problems import Problem


@pytest.mark.parametrize(
    "text, content",
    [
        (r"\boxed{301}", "301"),
        (r"so \boxed{1} no, \boxed{ 2 }.", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{1} and then \boxed{2", "1"),
        (r"\boxed{}", ""),
        (r"\boxed 5", None),
        ("301", None),
        ("", None),
    ],
)
def test_the_last_whole_box_counts(text: str, content: str | None) -> None:
    assert boxed(text) == content


@pytest.mark.parametrize(
    "wanted, said, right",
    [
        ("301", "301", True),
        ("301", "0301", True),
        ("1234567", "1,234,567", True),
        ("9.9", "9.90", True),
        ("9.9", "9.11", False),
        ("-5", "-5", True),
        ("-5", "5", False),
        ("3", "three", False),
        ("3", "", False),
        ("3", "3/1", False),
        ("3", "3e0", False),
    ],
)
def test_numbers_compare_by_value(wanted: str, said: str, right: bool) -> None:
    problem = Problem("add", "?", wanted, (), "k")
    assert is_right(problem, f"It is \\boxed{{{said}}}.") is right


def test_a_number_outside_the_box_does_not_count() -> None:
    assert not is_right(Problem("add", "?", "3", (), "k"), "It is 3.")


def test_a_hostile_answer_is_cheap() -> None:
    assert boxed("\\boxed{" * 200_000) is None
    assert not is_right(Problem("add", "?", "3", (), "k"), "\\boxed{" + "9" * 90_000 + "}")
