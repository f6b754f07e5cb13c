"""The grader `math`: our parser, equality, and answers that mean harm."""

import time

import pytest

from qwq_gguf.evaluation.grading import grade, mathematics
from qwq_gguf.evaluation.grading.math_tokens import Unreadable
from qwq_gguf.evaluation.grading.math_tree import parse
from qwq_gguf.evaluation.questions import Grade, Question

pytest.importorskip("sympy")


def graded(answer: str, wanted: str, **more: object) -> Grade:
    expected = {"answer": wanted, **more}
    return grade(Question(key="k", skill="s", text="?", grader="math", expected=expected), answer)


@pytest.mark.parametrize(
    ("wanted", "answer", "right"),
    [
        (r"\frac{1}{2}", r"\boxed{0.5}", True),
        (r"\frac{1}{2}", r"\boxed{\dfrac12}", True),
        (r"\frac{1}{2}", "The answer is 1/2.", True),
        (r"\frac{1}{2}", r"\boxed{50\%}", True),
        ("x^2+10x+16", r"\boxed{(x+8)(x+2)}", True),
        ("x^2+10x+16", r"\boxed{x^2+10x+15}", False),
        ("x^2+10x+16", "(x + 8)(x + 2) = x² + 10x + 16", True),
        (r"3\sqrt{2}", r"So \(\sqrt{18} = 3\sqrt{2}\).", True),
        (r"3\sqrt{2}", "3 sqrt(2)", True),
        (r"3\sqrt{2}", r"\boxed{2\sqrt{3}}", False),
        (r"\frac{\sqrt{3}}{3}", r"\boxed{\frac{1}{\sqrt{3}}}", True),
        (r"64\pi", "The area is 64π square units.", True),
        (r"64\pi", r"\boxed{201.06}", False),
        (r"\frac{30\pi}{180}", r"\boxed{\frac{\pi}{6}}", True),
        ("30", r"\boxed{30^\circ}", True),
        (r"\frac{\pi}{6}", r"\boxed{30^\circ}", True),
        (r"\sin^2 x + \cos^2 x", r"\boxed{1}", True),
        ("x^3", r"\boxed{x^{3}}", True),
        ("2^{10}", r"\boxed{1024}", True),
        ("1234", r"\boxed{1{,}234}", True),
        ("1234", "1,234", True),
        ("5", r"\boxed{5 \text{ cm}}", True),
        ("5", "x = 5", True),
        ("5", r"\boxed{x = 6}", False),
        # several at once
        (r"\{2, 3\}", "x = 2 or x = 3", True),
        (r"\{2, 3\}", r"\boxed{3} and \boxed{2}", True),
        (r"\{2, 3\}", r"The solutions are \(x = 3\) and \(x = 2\).", True),
        (r"\{2, 3\}", r"\boxed{2}", False),
        (r"\{2, 3\}", r"\boxed{2, 3, 4}", False),
        (r"\pm 3", r"\boxed{3, -3}", True),
        (r"1 \pm \sqrt{2}", r"\boxed{1+\sqrt{2}, 1-\sqrt{2}}", True),
        ("(2, 3)", r"\boxed{(2, 3)}", True),
        ("(2, 3)", r"\boxed{(3, 2)}", False),
        ("(2, 3)", "x = 2, y = 3", True),
        (r"(2, \infty)", r"\boxed{(2, \infty)}", True),
        (r"(2, \infty)", r"\boxed{[2, \infty)}", False),
        (r"(-\infty, 1) \cup (2, \infty)", r"\boxed{(-\infty, 1) \cup (2, \infty)}", True),
        (
            r"\begin{pmatrix}2 & 0\\ 0 & 4\end{pmatrix}",
            r"\boxed{\begin{bmatrix} 2 & 0 \\ 0 & 4 \end{bmatrix}}",
            True,
        ),
        (
            r"\begin{pmatrix}2 & 0\\ 0 & 4\end{pmatrix}",
            r"\boxed{\begin{pmatrix} 2 & 0 \\ 0 & 5 \end{pmatrix}}",
            False,
        ),
        # equations
        ("y = (x + 1)/2", r"\boxed{y = \frac{1}{2}x + \frac{1}{2}}", True),
        ("y = 2x + 3", r"\boxed{2x - y + 3 = 0}", True),
        ("y = 2x + 3", r"\boxed{y = 2x + 4}", False),
        ("x > 2", r"\boxed{2 < x}", True),
        ("x > 2", r"\boxed{x \geq 2}", False),
        # words
        (r"\text{Evelyn}", r"\boxed{\text{Evelyn}}", True),
        (r"\text{Evelyn}", r"\boxed{\text{Angela}}", False),
        ("5", "I cannot say.", False),
    ],
)
def test_what_is_equal_as_mathematics(wanted: str, answer: str, right: bool) -> None:
    assert graded(answer, wanted).right is right


def test_the_order_of_a_list_counts_where_it_is_said_to() -> None:
    assert graded(r"\boxed{3, 2}", "2, 3").right
    assert not graded(r"\boxed{3, 2}", "2, 3", ordered=True).right
    assert graded(r"\boxed{(3, 2)}", "(2, 3)", ordered=False).right


@pytest.mark.parametrize(
    "answer",
    [
        r"\boxed{9^{9^{9^{9}}}}",
        r"\boxed{9**9**9**9**9}",
        r"\boxed{2^{99999999999}}",
        r"\boxed{99999999!}",
        r"\boxed{" + "(" * 500 + "5" + ")" * 500 + "}",
        r"\boxed{" + "-" * 1500 + "6}",
        r"\boxed{" + "9" * 1900 + "}",
        r"\boxed{" + r"\sqrt{" * 200 + "5" + "}" * 200 + "}",
        r"\boxed{\binom{10000000}{5000000}}",
        r"\boxed{__import__('os').system('true')}",
        r"\boxed{(lambda: 5)()}",
        r"\boxed{\input{/etc/passwd}}",
        r"\boxed{" + "x+" * 700 + "x}",
        r"\boxed{" + ",".join("1" * 90) + "}",
        r"$" * 3000,
        "= " * 1500,
        "is " * 1000,
    ],
)
def test_an_answer_that_means_harm_is_wrong_at_once(answer: str) -> None:
    began = time.monotonic()
    assert not graded(answer, "5").right
    assert not graded(answer, r"\{1, 2, x\}").right
    assert time.monotonic() - began < 8


def test_sympy_never_gets_text_and_is_ended_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def child(question: dict[str, object], *, seconds: float = 3) -> None:
        asked.append(question)  # and says nothing, as one that was killed

    monkeypatch.setattr("qwq_gguf.evaluation.grading.math_equal.ask_child", child)
    assert graded(r"\boxed{(x+1)^2}", "x^2 + 2x + 1").right, "agreeing at all places is enough"
    one, two = (asked[0][side] for side in "ab")  # type: ignore[index]
    assert one[0] == "pow"
    assert two[0] == "add"
    assert not graded(r"\boxed{(x+1)^2}", "x^2 + 2x").right
    assert len(asked) == 1, "what differs at a place needs no sympy"


def test_without_sympy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from qwq_gguf.errors import EvaluationError

    monkeypatch.setattr(
        "qwq_gguf.evaluation.grading.math_equal.ask_child", lambda *_, **__: {"error": "no sympy"}
    )
    with pytest.raises(EvaluationError, match="sympy") as raised:
        graded(r"\boxed{(x+1)^2}", "x^2 + 2x + 1")
    assert raised.value.hint == "pip install 'qwq-gguf[eval]'"


@pytest.mark.parametrize("text", ["", "the answer", "x +", "(2", "[2", r"\foo{3}", "3 = = 4", "}"])
def test_what_is_no_formula(text: str) -> None:
    with pytest.raises(Unreadable):
        parse(text)


def test_what_is_beyond_the_bounds_is_no_formula() -> None:
    for text in ("1" * 500, "x" * 3000, "(" * 100 + ")" * 100, "1+" * 900 + "1"):
        with pytest.raises(Unreadable):
            parse(text)


def test_the_formula_that_was_graded_is_told() -> None:
    assert graded(r"\boxed{6}", "5") == Grade(False, "6", "not 5")
    assert mathematics.grade_math({"answer": "5"}, "").why == "no formula is to be read"
