import random

import pytest

from qwq_gguf.evaluation.suites.equivalence import content, guises, is_step
from qwq_gguf.evaluation.suites.problems import SKILLS
from qwq_gguf.evaluation.suites.skills import generate


@pytest.mark.parametrize(
    "asked, keys",
    [
        ("7*43", {"multiply:7*43"}),
        ("43*57", {"multiply:43*57", "calculator:43*57", "calculator:57*43"}),
        ("3394*35979", {"calculator:3394*35979", "calculator:35979*3394"}),
        ("5+999999", {"add:5+999999"}),
        ("55+480", {"add:55+480", "calculator:55+480", "calculator:480+55"}),
        ("5-80", {"subtract:5-80", "subtract:80-5"}),
        (
            "58-69",
            {"subtract:58-69", "subtract:69-58", "calculator:58-69", "calculator:69-58"},
        ),
        ("77-77", {"subtract:77-77", "calculator:77-77"}),
        ("3819/67", {"calculator:3819/67"}),
        ("strawberry", {"letters:strawberry"}),
        (
            "7.1234,8.001",
            {"compare:7.1234,8.001", "compare:7.1234,8.0010"},
        ),
        (
            "5,5.125",
            {
                f"compare:{a},{b}"
                for a in ("5", "5.0", "5.00", "5.000", "5.0000")
                for b in ("5.125", "5.1250")
                if a < b
            },
        ),
    ],
)
def test_the_guises_of_a_content(asked: str, keys: set[str]) -> None:
    found = list(guises(asked))
    assert set(found) == keys
    assert len(found) == len(keys)
    assert {content(key) for key in keys} == {asked}


@pytest.mark.parametrize("skill", SKILLS)
def test_what_is_drawn_is_a_guise_of_what_it_asks(skill: str) -> None:
    rng = random.Random(4)
    for _ in range(1500):
        key = generate(skill, rng, held_out=True).key
        assert key in set(guises(content(key)))


@pytest.mark.parametrize(
    "key, step",
    [
        ("multiply:7*8", True),
        ("multiply:7*10", False),
        ("add:0+9", True),
        ("add:9+10", False),
        ("subtract:17-8", True),
        ("subtract:8-17", True),
        ("subtract:18-8", False),
        ("subtract:14-11", False),
        ("compare:12.0,13", True),
        ("compare:12.1,13", False),
        ("letters:ox", False),
    ],
)
def test_steps_of_all_work(key: str, step: bool) -> None:
    assert is_step(content(key)) is step
