"""The suites: what is expected is proved by other means than those that drew it."""

from __future__ import annotations

import re
from collections import deque
from datetime import date
from fractions import Fraction
from itertools import combinations, islice
from pathlib import Path
from random import Random

import pytest

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.grading import grade
from qwq_gguf.evaluation.questions import Question
from qwq_gguf.evaluation.suites import load_suite, suite_names
from qwq_gguf.evaluation.suites.files import as_line, read_questions
from qwq_gguf.evaluation.suites.puzzle_solvers import least_weighings
from qwq_gguf.evaluation.suites.puzzles import puzzles
from qwq_gguf.evaluation.suites.skills import suite
from qwq_gguf.evaluation.suites.stories import STORIES
from qwq_gguf.evaluation.suites.wordproblems import KNOWN, draw

DRAWN = ("skills", "wordproblems", "puzzles", "tools")


@pytest.mark.parametrize("name", suite_names())
def test_a_suite_is_the_same_from_the_same_seed_and_has_each_key_once(name: str) -> None:
    few, more = load_suite(name, limit=2, seed=3), load_suite(name, limit=4, seed=3)
    assert load_suite(name, limit=4, seed=3) == more
    keys = {question.key for question in more}
    assert len(keys) == len(more)
    assert {question.key for question in few} <= keys
    if name != "showcase":
        assert load_suite(name, limit=4, seed=4) != more


def test_the_skills_are_the_problems_they_were() -> None:
    questions = load_suite("skills", limit=5, seed=1)
    problems = suite("skills", limit=5, seed=1)
    assert [q.text for q in questions] == [p.question for p in problems]
    assert [q.key for q in questions] == [p.key for p in problems]
    assert [q.expected["value"] for q in questions] == [p.answer for p in problems]


@pytest.mark.parametrize("name", DRAWN[1:])
def test_questions_say_the_form_of_their_answer(name: str) -> None:
    assert all(r"\boxed{}" in question.text for question in load_suite(name, limit=5))


def test_an_unknown_suite_names_the_known_ones() -> None:
    with pytest.raises(EvaluationError) as raised:
        load_suite("alphabet")
    for name in suite_names():
        assert name in str(raised.value)


def test_more_than_there_are() -> None:
    with pytest.raises(EvaluationError, match="no more such questions"):
        load_suite("tools", limit=1_700)


# ------------------------------------------------------------ word problems


def test_there_are_forty_stories_and_no_two_alike() -> None:
    assert len(STORIES) >= 40
    assert len({story.name for story in STORIES}) == len(STORIES)
    assert len({(re.sub(r"\{\w\}", "", s.text), s.steps) for s in STORIES}) == len(STORIES)
    assert len({story.steps for story in STORIES}) >= 38


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_every_step_of_a_story_is_a_sum_of_what_is_known(story) -> None:  # type: ignore[no-untyped-def]
    dice = Random(story.name)
    for _ in range(5):
        problem = draw(story, dice)
        assert 2 <= len(problem.steps) <= 6
        stated = {Fraction(number) for number in re.findall(r"\d+", problem.text)}
        assert stated >= set(map(Fraction, problem.numbers)), "each number is told"
        known, used = stated | set(map(Fraction, KNOWN)), set()
        for step in problem.steps:
            assert {step.a, step.b} <= known
            assert step.result == eval(f"x {step.sign} y", {"x": step.a, "y": step.b})
            assert step.result > 0
            used |= {step.a, step.b}
            known |= {step.result}
        assert used >= set(map(Fraction, problem.numbers)), "each number is needed"
        results = [step.result for step in problem.steps]
        assert all(any(r in (s.a, s.b) for s in problem.steps) for r in results[:-1])
        assert str(results[-1]) not in re.findall(r"\d+", problem.text)
        said = f"First {results[0]}. So the answer is \\boxed{{{float(results[-1]):g}}}."
        if len(f"{float(results[-1]):g}") < 6:
            assert grade(problem.to_question(), said).right


# ------------------------------------------------------------ puzzles


def drawn(kind: str, count: int = 60) -> list[Question]:
    return list(islice(puzzles(kind, 7), count))


def test_mazes_have_no_shorter_way() -> None:
    for question in drawn("maze"):
        rows = question.key.partition(":")[2].split("/")
        assert "\n".join(" ".join(row) for row in rows) in question.text
        # Distances from the goal, by relaxing until nothing changes.
        far = {(r, c): 10**6 for r, row in enumerate(rows) for c, x in enumerate(row) if x != "#"}
        goal = next(p for p in far if rows[p[0]][p[1]] == "G")
        far[goal], changed = 0, True
        while changed:
            changed = False
            for r, c in far:
                near = [far.get(p, 10**6) for p in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1))]
                if min(near) + 1 < far[r, c]:
                    far[r, c], changed = min(near) + 1, True
        start = next(p for p in far if rows[p[0]][p[1]] == "S")
        assert question.expected == {"value": str(far[start])}


def test_crossings_can_be_done_in_so_many_and_no_fewer() -> None:
    for question in drawn("crossing"):
        names, eats, seats = question.key.partition(":")[2].split(";")
        things = frozenset(range(len(names.split(","))))
        pairs = [tuple(map(int, pair.split(">"))) for pair in eats.split(",") if pair]
        queue = deque([(things, 0)])
        seen = {(things, 0)}
        least = None
        while queue and least is None:
            bank, trips = queue.popleft()
            if not bank and trips % 2:
                least = trips
            side = bank if trips % 2 == 0 else things - bank
            for size in range(int(seats) + 1):
                for load in combinations(side, size):
                    left = side - set(load)
                    if any(a in left and b in left for a, b in pairs):
                        continue
                    after = bank - set(load) if trips % 2 == 0 else bank | set(load)
                    if trips < 40 and (after, trips + 1) not in seen:
                        seen.add((after, trips + 1))
                        queue.append((after, trips + 1))
        assert question.expected == {"value": str(least)}
        assert question.text.count(" eats the ") == len(pairs)


def test_the_old_crossing_and_the_one_with_four_compartments() -> None:
    from qwq_gguf.evaluation.suites.puzzle_solvers import least_crossings

    wolf_goat_cabbage = ((0, 1), (1, 2))
    assert least_crossings(3, wolf_goat_cabbage, 1) == 7
    assert least_crossings(3, wolf_goat_cabbage, 4) == 1
    assert least_crossings(3, ((0, 1), (1, 2), (0, 2)), 1) is None


def test_weighings() -> None:
    for coins in range(2, 41):  # with room for all coins it is a power of three
        weighings = least_weighings(coins, 50)
        assert 3 ** (weighings - 1) < coins <= 3**weighings
    assert [least_weighings(coins, 1) for coins in range(2, 8)] == [1, 1, 2, 2, 3, 3]


def test_dates() -> None:
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    for question in drawn("date"):
        form, first, second = question.key.partition(":")[2].split("/")
        start = date.fromisoformat(first)
        if form == "weekday":
            at = (days.index(start.strftime("%A")) + int(second)) % 7
            assert question.expected == {"answer": days[at]}
            assert start.strftime("%A") in question.text
        else:
            between = date.fromisoformat(second).toordinal() - start.toordinal()
            assert question.expected == {"value": str(between)}


def test_decimals_and_letters() -> None:
    for question in drawn("decimals"):
        first, second, asked = question.expected["choose"]
        assert (Fraction(question.expected["value"]) == max(map(Fraction, (first, second)))) == (
            asked == "larger"
        )
        assert grade(question, f"\\boxed{{{question.expected['value']}}}").right
    for question in drawn("letters"):
        phrase = question.text.split('"')[1]
        counted = sum(letter == question.expected["letter"] for letter in phrase)
        assert question.expected["value"] == str(counted)


# ------------------------------------------------------------ files

LINE = '{"key": "a", "text": "What is 1+1?", "grader": "number", "expected": {"value": "2"}}'


def test_a_file_of_questions(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    questions = load_suite("tools", limit=2)
    path.write_text("\n".join([*map(as_line, questions), "", LINE]) + "\n")
    read = load_suite(str(path))
    assert read[:-1] == questions
    assert read[-1].skill == "questions"
    assert len(load_suite(str(path), limit=1)) == 4, "one of each skill"
    assert grade(read[-1], "2").right


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("[1]", "no object"),
        ("{", "line 2"),
        ('{"key": "b"}', "text is missing"),
        (LINE, "the key a again"),
        (LINE.replace('"a"', '"b"').replace("number", "taste"), "the grader taste"),
        (LINE.replace('"a"', '"b"').replace('{"value": "2"}', "2"), "expected is missing"),
        (LINE.replace('"a"', '"b", "answer": 2'), "answer, which nothing reads"),
        (LINE.replace('"a"', '"b", "tools": "date"'), "tools are names"),
        (LINE.replace('"a"', '"b", "system": 1'), "system is no text"),
        ("[" * 100_000, "line 2"),
    ],
)
def test_a_line_that_is_no_question(tmp_path: Path, line: str, found: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(f"{LINE}\n{line}\n")
    with pytest.raises(EvaluationError, match=re.escape(found)) as raised:
        read_questions(path)
    assert "mine.jsonl" in str(raised.value)


def test_no_file_and_no_question(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="cannot be read"):
        load_suite(str(tmp_path / "none.jsonl"))
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(EvaluationError, match="no question"):
        load_suite(str(tmp_path / "empty.jsonl"))
