"""What is asked, in which order, with which dice."""

from __future__ import annotations

import pytest

from qwq_gguf.errors import EvaluationError, ProfileError
from qwq_gguf.evaluation.asking.governors import OFF, governor_words, read_governors
from qwq_gguf.evaluation.asking.plan import (
    cells_of,
    joined_suites,
    plan_replies,
    sample_seed,
)
from qwq_gguf.evaluation.questions import Question
from qwq_gguf.profiles import load_profile
from qwq_gguf.thinking import Governor


def question(key: str) -> Question:
    return Question(key=key, skill="s", text="?", grader="number", expected={"value": "1"})


def test_seeds_are_the_same_everywhere_and_fit_llama_cpp() -> None:
    assert sample_seed(0, "multiply:7*43", 0) == 2219799379
    seeds = {sample_seed(seed, "k", number) for seed in range(50) for number in range(50)}
    assert len(seeds) == 2500
    assert all(0 <= seed < 2**32 - 1 for seed in seeds)


def test_models_one_after_the_other_and_cells_question_by_question() -> None:
    cells = cells_of(["a", "b"], ["p", "q"], ["off"])
    plan = plan_replies(cells, [question("x"), question("y")], samples=2, seed=3)
    assert [(w.cell.model, w.question.key, w.sample, w.cell.profile) for w in plan] == [
        (model, key, number, profile)
        for model in "ab" for key in "xy" for number in (0, 1) for profile in "pq"
    ]  # fmt: skip
    by_reply = {(w.question.key, w.sample): w.seed for w in plan}
    assert all(w.seed == by_reply[w.question.key, w.sample] for w in plan), "the same dice for all"
    assert len(set(by_reply.values())) == 4


def test_one_question_in_two_suites_is_refused() -> None:
    joined = joined_suites([[question("x")], [question("y")]])
    assert [q.key for q in joined] == ["x", "y"]
    with pytest.raises(EvaluationError, match="same key"):
        joined_suites([[question("x")], [question("y"), question("x")]])


def test_governors_by_name_and_by_keys() -> None:
    default, off, small, spoken = read_governors(
        ["default,off, budget=200+loops=false", 'message="Enough, off I go. a=b"']
    )
    profile = load_profile("qwq")
    assert default.applied(profile).governor == profile.governor
    assert off.applied(profile).governor == OFF
    assert (small.name, small.settings) == (
        "budget=200+loops=false",
        {"budget": 200, "loops": False},
    )
    made = small.applied(profile).governor
    assert (made.budget, made.loops, made.reserve) == (200, False, profile.governor.reserve)
    assert spoken.applied(profile).governor.message == "Enough, off I go. a=b"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("on", "no such governor"),
        ("off,off", "named twice"),
        ("budgets=3", "budgets"),
        ("budget=many", "setting"),
        ("default,", "no such governor"),
    ],
)
def test_what_is_no_governor(text: str, words: str) -> None:
    with pytest.raises(ProfileError, match=words):
        read_governors([text])


def test_a_missing_governor_is_said_in_words() -> None:
    assert governor_words(OFF).startswith("none: ")
    said = governor_words(Governor(budget=20, seconds=3, margin=0.5, reserve=0))
    assert said == (
        "at most 20 thinking tokens, at most 3 seconds of thought, loops are ended, "
        "always an answer, margin 0.5"
    )
