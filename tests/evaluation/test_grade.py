import pytest

from qwq_gguf.evaluation.grading import grade
from qwq_gguf.evaluation.grading.answer import boxed
from qwq_gguf.evaluation.suites.problems import Problem


def is_right(problem: Problem, answer: str) -> bool:
    return grade(problem.to_question(), answer).right


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


SUM = Problem("add", "What is 4341 + 1129?", "5470", ("4341", "1129"), "k")
PRODUCT = Problem("calculator", "What is 3394*35979?", "122112726", ("3394*35979",), "k")
BELOW_ZERO = Problem("subtract", "What is 38 - 43?", "-5", ("38", "43"), "k")
ITSELF = Problem("multiply", "What is 1*57?", "57", ("1", "57"), "k")
NOTHING = Problem("multiply", "How much is 0 x 57?", "0", ("0", "57"), "k")
QUOTIENT = Problem("calculator", "What is 6/3?", "2", ("6/3",), "k")


@pytest.mark.parametrize(
    ("problem", "answer", "right"),
    [
        # a number by itself, and at the end of a sum or a sentence
        (SUM, "5470", True),
        (SUM, "5470.", True),
        (SUM, "4341 + 1129 = 5470", True),
        (SUM, "4341+1129=5470.", True),
        (SUM, "The answer is 5,470.", True),
        (SUM, "The answer is 5,471.", False),
        (SUM, "**5470**", True),
        (SUM, "**Answer:** 5470", True),
        (SUM, "__5,470__", True),
        (SUM, "`5470`", True),
        (SUM, "*5470*", True),
        (SUM, "Answer: $5470$", True),
        (SUM, r"\(4341 + 1129 = 5470\)", True),
        (SUM, r"\[ 4341 + 1129 = \mathbf{5470} \]", True),
        (SUM, r"So the sum is $\text{5470}$.", True),
        (SUM, r"\dfrac{5470}{1}", True),
        (SUM, r"\frac{10940}{2}", False),
        (SUM, "5470 apples", True),
        (SUM, "5470km", True),
        (SUM, "5470.0", True),
        (SUM, "5.47 \u00d7 10^3", True),
        (SUM, r"5.47 \times 10^{3}", True),
        (SUM, "5.470 thousand", True),
        (SUM, "54.70", False),
        (SUM, "5470 is the sum of 4341 and 1129.", True),
        (SUM, "5470 = 4341 + 1129", True),
        (SUM, "The sum of 4341 and 1129 is 5470.", True),
        (SUM, "What is 4341 + 1129? It is 5470.", True),
        (SUM, "1. Add the ones: 10.\n2. Add the rest: 5460.\n\nThe result is 5470", True),
        (SUM, "4341 + 1000 = 5341\n5341 + 129 = 5470", True),
        (SUM, "```\n  4341\n+ 1129\n------\n  5470\n```", True),
        (SUM, "It is 5470. To check: 5470 - 1129 = 4341.", True),
        (SUM, "5470, which took 3 steps.", True),
        (SUM, "5470 (I am 100% sure)", True),
        (SUM, "\uff15\uff14\uff17\uff10", True),
        (SUM, "#### 5470", True),
        # a hedge: the last one said
        (SUM, "It is 5460. Wait, no: 5470.", True),
        (SUM, "It is 5470, or maybe 5480.", False),
        (SUM, "5470? No, 5460.", False),
        # nothing said, and the question said again
        (SUM, "", False),
        (SUM, "I cannot say.", False),
        (SUM, "4341 + 1129", False),
        (SUM, "4341 and 1129 are to be added.", False),
        (ITSELF, "1*57", False),
        (ITSELF, "You want 1 times 57.", False),
        (ITSELF, "You gave me 1 and 57.", False),
        (ITSELF, "1*57 = 57", True),
        (ITSELF, "57", True),
        (ITSELF, "1 times 57 is 57.", True),
        (NOTHING, "0 x 57 = 0", True),
        (NOTHING, "0 x 57", False),
        (QUOTIENT, "6/3 = 2", True),
        (QUOTIENT, "2, remainder 0", True),
        (QUOTIENT, "6 divided by 3 is 2", True),
        (QUOTIENT, r"\frac{6}{3}", False),
        # separators
        (PRODUCT, "122,112,726", True),
        (PRODUCT, "122{,}112{,}726", True),
        (PRODUCT, r"122\,112\,726", True),
        (PRODUCT, r"122\ 112\ 726", True),
        (PRODUCT, "122\u2009112\u2009726", True),
        (PRODUCT, "122\u202f112\u202f726", True),
        (PRODUCT, "122\u00a0112\u00a0726", True),
        (PRODUCT, "122 112 726", True),
        (PRODUCT, "122'112'726", True),
        (PRODUCT, "122_112_726", True),
        (PRODUCT, "12,21,12,726", True),
        (PRODUCT, "3394 \u00d7 35979 = 122,112,726.", True),
        (PRODUCT, "122, 112, 726", False),
        (PRODUCT, "about 122 million", False),
        # signs
        (BELOW_ZERO, "-5", True),
        (BELOW_ZERO, "38 - 43 = -5", True),
        (BELOW_ZERO, "38 \u2212 43 = \u22125", True),
        (BELOW_ZERO, "**\u22125**", True),
        (BELOW_ZERO, r"$38 - 43 = -5$", True),
        (BELOW_ZERO, "It is negative 5.", True),
        (BELOW_ZERO, "38-43 is minus 5", True),
        (BELOW_ZERO, "(-5)", True),
        (BELOW_ZERO, "5", False),
        (BELOW_ZERO, "- 5", False),
        (BELOW_ZERO, "48-5", False),
        # a box decides, the last one
        (PRODUCT, r"\boxed{122{,}112{,}726}", True),
        (PRODUCT, r"\boxed{122\,112\,726}", True),
        (PRODUCT, r"\boxed{\text{122112726}}", True),
        (PRODUCT, r"\boxed{122112726 \text{ units}}", True),
        (SUM, r"\boxed{4341 + 1129 = 5470}", True),
        (SUM, r"\boxed{4341 + 1129}", False),
        (SUM, r"\boxed{x = 5470}", True),
        (SUM, r"\boxed{5460}, I mean 5470", False),
        (SUM, r"5460, so \boxed{5470}", True),
        (SUM, r"\boxed{}, that is 5470", False),
        (BELOW_ZERO, "\\boxed{\u22125}", True),
        # a thought that was left in the answer
        (SUM, "<think>5470</think> I cannot say.", False),
        (SUM, "5470 it is.</think>5471", False),
        (SUM, "<think>It may be 5470", False),
        (SUM, "<think>5471</think>5470", True),
    ],
)
def test_the_result_of_a_sum_in_anyones_words(problem: Problem, answer: str, right: bool) -> None:
    assert is_right(problem, answer) is right


LARGER = Problem("compare", "Which is larger, 9.9 or 9.11?", "9.9", ("9.9", "9.11", "larger"), "k")
SMALLER = Problem("compare", "What is less, 9.9 or 9.11?", "9.11", ("9.9", "9.11", "smaller"), "k")


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        ("9.9", "9.9"),
        ("9.90", "9.9"),
        ("9.11.", "9.11"),
        ("It is 9.9.", "9.9"),
        ("**9.9**", "9.9"),
        ("The answer is 9.9", "9.9"),
        ("$9.9$", "9.9"),
        (r"\boxed{9.9}", "9.9"),
        (r"\boxed{\dfrac{99}{10}}", "9.9"),
        ("Both have 9 ones. 9.11 it is.", "9.11"),
        ("", None),
        ("I cannot say.", None),
        ("9.9 or 9.11", None),
        ("Which is larger, 9.9 or 9.11?", None),
        ("You compare 9.9 and 9.11.", None),
        ("9.8", None),
    ],
)
def test_a_choice_that_is_only_named(answer: str, chosen: str | None) -> None:
    assert is_right(LARGER, answer) is (chosen == "9.9")
    assert is_right(SMALLER, answer) is (chosen == "9.11")


@pytest.mark.parametrize(
    ("answer", "larger"),
    [
        ("9.9 is larger than 9.11.", "9.9"),
        ("**9.9** is larger than **9.11**.", "9.9"),
        ("9.11 is larger than 9.9.", "9.11"),
        ("9.11 is not larger than 9.9.", "9.9"),
        ("9.9 > 9.11", "9.9"),
        (r"\boxed{9.9 > 9.11}", "9.9"),
        (r"$9.11 < 9.9$", "9.9"),
        (r"9.9 \gt 9.11", "9.9"),
        ("9.11 < 9.9, so 9.9 is larger", "9.9"),
        ("9.9 is the larger number.", "9.9"),
        ("Between 9.9 and 9.11, 9.9 is the larger one.", "9.9"),
        ("The larger number is 9.9.", "9.9"),
        ("The larger number is **9.11**.", "9.11"),
        ("The smaller of the two is 9.11.", "9.9"),
        ("9.11 is smaller.", "9.9"),
        ("9.11 is larger, because 11 is greater than 9.", "9.11"),
        ("Which is larger, 9.9 or 9.11? 9.9 is greater.", "9.9"),
        ("9.90 has more tenths than 9.11, so 9.9 is bigger.", "9.9"),
        ("First I thought 9.11 is larger. But 9.9 is larger than 9.11.", "9.9"),
        ("Compare 9.90 and 9.11: 9.90 > 9.11, so the larger is 9.9", "9.9"),
    ],
)
def test_a_choice_by_comparing(answer: str, larger: str) -> None:
    assert is_right(LARGER, answer) is (larger == "9.9")
    assert is_right(SMALLER, answer) is (larger == "9.9"), "the other one is the smaller"


LETTERS = Problem("letters", 'How many r\'s are in "strawberry"?', "3", ("strawberry", "r"), "k")
NO_LETTERS = Problem("letters", "How many z are in otter?", "0", ("otter", "z"), "k")


@pytest.mark.parametrize(
    ("problem", "answer", "right"),
    [
        (LETTERS, "3", True),
        (LETTERS, "3.", True),
        (LETTERS, "**3**", True),
        (LETTERS, "Three.", True),
        (LETTERS, 'There are 3 r\'s in "strawberry".', True),
        (LETTERS, "There are **three** r\u2019s in strawberry.", True),
        (LETTERS, 'There are 2 r\'s in "strawberry".', False),
        (LETTERS, "The letter r appears 3 times, at positions 3, 8 and 9.", True),
        (LETTERS, "The letter r appears twice, in the last 3 letters.", False),
        (LETTERS, '"strawberry" contains three r\'s.', True),
        (LETTERS, "strawberry has 10 letters, and 3 of them are r. So 3.", True),
        (LETTERS, "s t r(1) a w b e r(2) r(3): the count is 3", True),
        (LETTERS, "1 r in straw, 2 r's in berry, so 3.", True),
        (LETTERS, "1 in straw plus 2 in berry = 3", True),
        (LETTERS, r"\boxed{3}", True),
        (LETTERS, r"\boxed{\text{three}}", True),
        (LETTERS, r"\boxed{2}, though there are 3 r's", False),
        (LETTERS, "I count 2. Wait, actually 3.", True),
        (LETTERS, "There are 3, or maybe 2.", False),
        (LETTERS, "It is at positions 3, 8, 9.", False),
        (LETTERS, "", False),
        (LETTERS, "Many.", False),
        (NO_LETTERS, "0", True),
        (NO_LETTERS, "There are no z's in otter.", True),
        (NO_LETTERS, "None.", True),
        (NO_LETTERS, "The word does not contain z.", True),
        (NO_LETTERS, "There is one z.", False),
    ],
)
def test_how_many_letters_in_anyones_words(problem: Problem, answer: str, right: bool) -> None:
    assert is_right(problem, answer) is right


def test_a_hostile_answer_is_cheap() -> None:
    assert boxed("\\boxed{" * 200_000) is None
    assert not is_right(Problem("add", "?", "3", (), "k"), "\\boxed{" + "9" * 90_000 + "}")


@pytest.mark.parametrize("problem", [SUM, LARGER, LETTERS], ids=["sum", "compare", "letters"])
@pytest.mark.parametrize(
    "piece",
    ["9", "9 ", "9,", "1,234", "9.", "-", "- 9", "**", "{", "\\text{", "\\frac{1}{2}", "x 9 ",
     "9 x 10^", "is ", "there are ", "number ", "larger ", "9.9 is ", "?", "\n1. ", " ", "total ",
     "\n", "}\n$", "\n\u00d7"],
)  # fmt: skip
def test_any_answer_is_graded_at_once(problem: Problem, piece: str) -> None:
    is_right(problem, piece * (20_000 // len(piece)))
