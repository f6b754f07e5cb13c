"""What training keeps back, and what the training of the shipped weights did not."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from decimal import Decimal

import pytest

from qwq_gguf.evaluation.suites.contamination import met_contents
from qwq_gguf.evaluation.suites.equivalence import content
from qwq_gguf.evaluation.suites.problems import SKILLS, is_held_out
from qwq_gguf.evaluation.suites.skills import generate, suite
from support.trainer import conversations, seen, stated


@pytest.mark.parametrize(
    "text, contents",
    [
        ("What is 57 * 43?", {"43*57"}),
        ("43*57 = 43*7 + 43*50.\n", {"43*57", "7*43", "43*50"}),
        ("43*7: 3*7+0=21, 4*7+2=30. So 301.", {"7*43", "3*7", "4*7"}),
        ("0301+2150: 1+0+0=01,", {"301+2150", "0+1"}),
        ("012-345 = \\boxed{-333}", {"12-345"}),
        ('{"expression": "3819/67"}', {"3819/67"}),
        ("9.90 and 9.11: 9 = 9, 9 > 1. So 9.9 > 9.11.", {"9.11,9.9", "1,9"}),
        ("Which is larger, 9.9 or 10?", {"10,9.9"}),
        ("007 and 012: 0 = 0, 0 < 1.", {"12,7", "0,1"}),
        ("Add 12 and 13. It says -22.", set()),
        ("6,094+466 is 6+1=07, 094", {"466+6094", "1+6"}),
    ],
)
def test_what_a_text_states(text: str, contents: set[str]) -> None:
    assert set(stated.stated(text)) == contents


def _keys(text: str) -> Iterator[str]:
    """Keys of all problems of more than a column that a text states, read word by word."""
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)  # 6,094 is one number
    words = re.sub(r'["?,:{}]|\.(?!\d)', " ", text).split()
    for word in words:
        numbers = [str(int(n)) for n in re.split(r"[*+/-]", word) if n.isdigit()]
        if len(numbers) != 2 or not re.fullmatch(r"\d+[*+/-]\d+", word):
            continue
        sign = next(c for c in word if not c.isdigit())
        for a, b in [numbers] if sign == "/" else [numbers, numbers[::-1]]:
            if len(a) > 1 and len(b) > 1 and len(a) < 7 and len(b) < 7:
                yield f"calculator:{a}{sign}{b}"
            skill = {"*": "multiply", "+": "add", "-": "subtract"}.get(sign)
            beyond_columns = max(len(a), len(b)) > 1 and abs(int(a) - int(b)) > 9
            few = max(len(a), len(b)) <= 3 and min(len(a), len(b)) <= 2
            if skill and beyond_columns and (few or sign != "*"):
                in_order = sign == "-" or int(a) <= int(b)
                if in_order and max(len(a), len(b)) <= 6:
                    yield f"{skill}:{a}{sign}{b}"
    for a, joint, b in zip(words, words[1:], words[2:], strict=False):
        if joint in ("and", "or", "<", ">") and "." in a + b and _decimal(a) and _decimal(b):
            for pair in ((x, y) for x in _as_written(a) for y in _as_written(b)):
                if "." in "".join(pair):
                    yield "compare:" + ",".join(sorted(pair))


def _decimal(word: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", word) is not None


def _as_written(number: str) -> list[str]:
    forms = [f"{Decimal(number):.{places}f}" for places in range(5)]
    return [form for form in forms if Decimal(form) == Decimal(number)]


def _whole(key: str) -> bool:
    return key.startswith("compare:") and all(
        Decimal(n) == int(Decimal(n)) for n in key[8:].split(",")
    )


def _held_out(rules: conversations.Rules, count: int) -> set[str]:
    samples = conversations.samples(random.Random(3), rules)
    return {
        key
        for sample, _ in zip(samples, range(count), strict=False)
        for key in _keys(sample.text)
        if is_held_out(key) and not _whole(key)
    }


def test_training_states_nothing_that_is_held_out_in_any_guise() -> None:
    assert not _held_out(conversations.Rules(0.5), 2000)


def test_the_training_of_the_shipped_weights_did() -> None:
    """So the reading above finds what is there, in every skill's guise."""
    met = _held_out(seen.FIRST_RULES, 2000)
    assert {key.partition(":")[0] for key in met} == set(SKILLS) - {"letters"}
    assert {content(key) for key in met} <= set(seen.met({content(key) for key in met}))


@pytest.mark.parametrize("skill", SKILLS)
def test_what_is_kept_back_changes_no_shape(skill: str) -> None:
    worked = skill != "calculator"
    redrawn = 0
    for seed in range(300):
        usual = generate(skill, random.Random(seed), held_out=False)
        drawn = conversations.draw_unstated(skill, random.Random(seed), worked)
        assert not conversations.states_held_out(drawn, worked)
        for before, after in zip(usual.operands[:2], drawn.operands[:2], strict=True):
            assert re.sub(r"\d", "0", before) == re.sub(r"\d", "0", after)
        redrawn += usual != drawn
    assert (redrawn > 0) == (skill != "letters")


def test_the_list_holds_what_the_shipped_training_begins_with() -> None:
    """A short replay; `scripts/train_demo/seen.py --check` is the whole."""
    stated_first = seen.replay(steps=12)
    met = set(seen.met(stated_first))
    assert len(met) > 100
    assert met <= met_contents()
    for seed in range(3):
        for problem in suite("skills", seed=seed):
            assert content(problem.key) not in stated_first, problem.key
