import random
from importlib.resources import files

import pytest

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.suites import skills as problems
from qwq_gguf.evaluation.suites.contamination import met_contents, was_met
from qwq_gguf.evaluation.suites.equivalence import content, guises, is_step
from qwq_gguf.evaluation.suites.problems import SKILLS, is_held_out
from qwq_gguf.evaluation.suites.skills import generate, suite


def test_the_list_is_sorted_and_holds_nothing_needless() -> None:
    lines = (
        files("qwq_gguf.evaluation.suites")
        .joinpath("contamination.txt")
        .read_text("utf-8")
        .split("\n")
    )
    assert lines.pop() == ""
    assert lines == sorted(set(lines))
    assert met_contents() == set(lines)
    for asked in lines:
        keys = list(guises(asked))
        assert {content(key) for key in keys} == {asked}
        assert any(map(is_held_out, keys)), asked
        assert not is_step(asked), asked


@pytest.mark.parametrize("skill", SKILLS)
def test_a_suite_asks_nothing_that_was_met(skill: str) -> None:
    for seed in range(4):
        assert not any(was_met(problem.key) for problem in suite(skill, limit=150, seed=seed))


@pytest.mark.parametrize("skill", [skill for skill in SKILLS if skill != "letters"])
def test_without_the_list_some_would_be_asked(skill: str) -> None:
    rng = random.Random(f"{skill}|0")
    keys = {generate(skill, rng, held_out=True).key for _ in range(1000)}
    assert 0 < sum(map(was_met, keys)) < 0.4 * len(keys)


def test_the_showcase_product_was_a_line_of_others() -> None:
    assert was_met("multiply:7*43")
    assert not any(map(was_met, ("compare:9.11,9.9", "letters:strawberry")))


def test_more_problems_than_there_are_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems, "_PATIENCE", 2)
    with pytest.raises(EvaluationError, match="no more held-out problems"):
        suite("multiply", limit=10_000)
