import random
from decimal import Decimal

import pytest

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.suites.problems import SHOWCASE, SKILLS, Problem, is_held_out
from qwq_gguf.evaluation.suites.skills import SKILL_SUITES, generate, suite

_SIGNS = {
    "multiply": lambda a, b: a * b,
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
}


def _solve(problem: Problem) -> str:
    """The answer, worked out from the operands by other means than the generator's."""
    if problem.skill in _SIGNS:
        return str(_SIGNS[problem.skill](*map(int, problem.operands)))
    if problem.skill == "compare":
        a, b, asked = problem.operands
        return sorted((a, b), key=Decimal)[asked == "larger"]
    if problem.skill == "letters":
        word, letter = problem.operands
        return str(sum(c == letter for c in word))
    expression = problem.operands[0]
    sign = next(c for c in "*/+-" if c in expression)
    x, y = map(int, expression.split(sign))
    return str({"*": x * y, "/": x // max(y, 1), "+": x + y, "-": x - y}[sign])


@pytest.mark.parametrize("skill", SKILLS)
@pytest.mark.parametrize("held_out", [True, False])
def test_answers_are_right_and_sides_are_kept(skill: str, held_out: bool) -> None:
    rng = random.Random(7)
    for _ in range(300):
        problem = generate(skill, rng, held_out=held_out)
        assert problem.answer == _solve(problem)
        assert is_held_out(problem.key) is held_out
        assert all(
            operand in problem.question or skill == "compare" or skill == "calculator"
            for operand in problem.operands
        )


def test_sizes_are_as_promised() -> None:
    drawn = suite("skills", limit=300, seed=3)
    sizes = {
        skill: {tuple(sorted(map(len, p.operands[:2]))) for p in drawn if p.skill == skill}
        for skill in ("multiply", "add")
    }
    assert max(sizes["multiply"]) == (2, 3)
    assert max(sizes["add"]) == (6, 6)
    assert {len(p.operands[0]) for p in drawn if p.skill == "letters"} >= set(range(3, 13))


def test_a_suite_is_the_same_for_the_same_seed_and_distinct() -> None:
    first = suite("skills", limit=40, seed=5)
    assert first == suite("skills", limit=40, seed=5)
    assert first != suite("skills", limit=40, seed=6)
    assert len({p.key for p in first}) == len(first) == 40 * len(SKILLS)
    assert [p for p in first if p.skill == "add"] == suite("add", limit=40, seed=5)
    assert len(suite("letters")) == 100


def test_held_out_share() -> None:
    keys = [f"multiply:{a}*{b}" for a in range(100) for b in range(100)]
    share = sum(map(is_held_out, keys)) / len(keys)
    assert 0.11 < share < 0.14


def test_the_showcase_is_held_out_and_right() -> None:
    for problem in SHOWCASE:
        assert is_held_out(problem.key)
        assert problem.answer == _solve(problem)
    assert suite("showcase") == list(SHOWCASE)


def test_an_unknown_suite_names_the_known_ones() -> None:
    with pytest.raises(EvaluationError) as caught:
        suite("maths")
    for name in SKILL_SUITES:
        assert name in str(caught.value)
