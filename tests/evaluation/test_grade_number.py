"""The grader `number`: fractions, percentages, units, tolerance, and what is announced."""

import pytest

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.grading import grade
from qwq_gguf.evaluation.questions import Question


def right(answer: str, value: str, text: str = "?", **more: str) -> bool:
    expected = {"value": value, **more}
    question = Question(key="k", skill="s", text=text, grader="number", expected=expected)
    return grade(question, answer).right


@pytest.mark.parametrize(
    ("answer", "value", "is_right"),
    [
        # what the issue names
        ("4341 + 1129 = 5470", "5470", True),
        (r"\boxed{122{,}112{,}726}", "122112726", True),
        # fractions, mixed, unreduced, as decimals
        (r"-\frac{5}{14}", "-5/14", True),
        ("-5/14", "-5/14", True),
        (r"\boxed{\frac{-5}{14}}", "-5/14", True),
        ("3/6 - 6/7 = 21/42 - 36/42 = -15/42", "-5/14", True),
        ("3/6 - 6/7 = 21/42 - 36/42 = -14/42", "-5/14", False),
        ("1 3/8", "11/8", True),
        (r"\(1\frac{3}{8}\)", "11/8", True),
        (r"\frac38", "3/8", True),
        ("-0.357", "-5/14", True),
        ("-0.36", "-5/14", False),
        ("0.3333", "1/3", True),
        ("0.3334", "1/3", False),
        ("1.375", "11/8", True),
        # percentages
        ("25%", "25%", True),
        (r"\boxed{25\%}", "25%", True),
        ("25", "25%", True),
        ("0.25", "25%", False),
        ("25% of 100 is 25, so it is 25%.", "25%", True),
        ("25%", "1/4", True),
        ("25", "1/4", False),
        # an announced answer, and what follows it
        ("**Answer: 12 apples** (she gave 3 away)", "12", True),
        ("The final answer is: **12** apples, 3 less than before", "12", True),
        ("#### 12\nThat took 3 minutes.", "12", True),
        ("The answer is 12. Wait, I forgot 1: it is 13.", "13", True),
        ("$11.50", "11.5", True),
        (r"\boxed{\$189.00}", "189", True),
        (r"\boxed{1{,}234\text{ cm}}", "1234", True),
        ("1.2e3", "1200", False),
        (r"1.2 \times 10^3", "1200", True),
    ],
)
def test_a_number_in_the_dress_that_people_give_it(answer: str, value: str, is_right: bool) -> None:
    assert right(answer, value) is is_right


@pytest.mark.parametrize(
    ("answer", "value", "unit", "is_right"),
    [
        ("3000 metres", "3000", "m", True),
        ("3 km", "3000", "m", True),
        ("3000", "3000", "m", True),
        ("3000 km", "3000", "m", False),
        ("3000 grams", "3000", "m", False),
        ("3000 apples", "3000", "m", True),
        ("It takes 2 hours and 30 minutes.", "150", "minutes", True),
        ("2 h 30 min", "150", "minutes", True),
        ("2 hours and 20 minutes", "150", "minutes", False),
        ("20 m/s", "72", "km/h", True),
        ("72 kilometers per hour", "72", "km/h", True),
        (r"\(60 \text{ cm}^2\)", "60", "cm^2", True),
        (r"\boxed{60 \text{ cm}^2}", "60", "cm^2", True),
        ("60 square centimeters", "60", "cm^2", True),
        ("0.006 square metres", "60", "cm^2", True),
        ("150 cents", "3/2", "dollars", True),
        ("$1.50", "3/2", "dollars", True),
    ],
)
def test_a_number_with_its_unit(answer: str, value: str, unit: str, is_right: bool) -> None:
    assert right(answer, value, unit=unit) is is_right


def test_a_tolerance_is_in_the_number_or_a_share_of_it() -> None:
    assert right("3.1416", "3.14", tolerance="0.002")
    assert not right("3.15", "3.14", tolerance="0.002")
    assert right("102", "100", tolerance="2%")
    assert not right("103", "100", tolerance="2%")


def test_numbers_of_the_question_that_are_only_said_again_do_not_count() -> None:
    text = "Anna has 5 boxes with 24 pencils each and gives 30 away. How many are left?"
    said = "5 boxes of 24 pencils are 120 pencils. Without the 30 there are 90 pencils left"
    assert right(f"{said}, of 5 boxes with 24 each.", "90", text)
    assert not right("120 - 30 = 80", "90", text)


@pytest.mark.parametrize("expected", [{"value": "many"}, {}, {"value": "1/0"}, []])
def test_an_expected_value_that_is_none_is_refused(expected: object) -> None:
    question = Question(key="k", skill="s", text="?", grader="number", expected=expected)
    with pytest.raises(EvaluationError):
        grade(question, "5")


def test_a_grader_that_there_is_not() -> None:
    question = Question(key="k", skill="s", text="?", grader="taste", expected={})
    with pytest.raises(EvaluationError, match="no such grader"):
        grade(question, "5")
