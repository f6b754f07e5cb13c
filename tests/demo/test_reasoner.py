"""The demo model does what its card says, quantized as a user would have it.

The card's figures come from 600 problems (`qwq-gguf eval thinking`); a sample of them is
asked here, with bounds that a broken kernel, template or sampler chain cannot meet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.conversion import convert
from qwq_gguf.engine.model import Model
from qwq_gguf.evaluation.asking.plan import plan_replies
from qwq_gguf.evaluation.asking.running import ask
from qwq_gguf.evaluation.asking.sample import Cell, Sample
from qwq_gguf.evaluation.suites.problems import SHOWCASE, SKILLS, Problem
from qwq_gguf.evaluation.suites.skills import suite
from qwq_gguf.profiles import Profile, load_profile
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from qwq_gguf.sampling import Greedy, SamplerChain
from support.trainer import judge


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    path = tmp_path_factory.mktemp("demo") / "demo.gguf"
    run_plan(make_plan(convert(open_checkpoint("demo")), load_recipe("Q4_K_M")), path)
    with Model.load(path) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def qwq() -> Profile:
    return load_profile("qwq")


def asked(model: Model, profile: Profile, problems: Sequence[Problem], **plan: int) -> list[Sample]:
    cell = Cell("demo", profile.name, "default")
    wanted = plan_replies(
        [cell],
        [problem.to_question() for problem in problems],
        samples=plan.get("samples", 1),
        seed=plan.get("seed", 0),
    )
    return list(ask(model, wanted, {cell: profile}, parallel=plan.get("parallel", 1)))


@pytest.mark.parametrize("problem", SHOWCASE, ids=lambda problem: problem.skill)
def test_the_showcase_is_answered_right(model: Model, qwq: Profile, problem: Problem) -> None:
    for sample in asked(model, qwq, [problem], samples=3):
        assert sample.right, sample
        assert sample.thought_tokens > 5
        assert sample.calls == (problem.skill == "calculator")


def test_held_out_problems_of_every_skill(model: Model, qwq: Profile) -> None:
    problems = suite("skills", limit=12, seed=1)
    samples = asked(model, qwq, problems, seed=1)
    right = sum(sample.right for sample in samples)
    assert right >= 0.9 * len(samples), [s.key for s in samples if not s.right]
    assert all(sample.answered for sample in samples)


def test_several_at_once_say_what_one_by_one_does(model: Model, qwq: Profile) -> None:
    """The calculator's rounds too: a reply goes on behind its tool while others are made."""
    profile = replace(qwq, chain=SamplerChain((Greedy(),)))
    problems = [*SHOWCASE, *suite("calculator", limit=3), *suite("add", limit=3)]
    alone = asked(model, profile, problems)
    together = asked(model, profile, problems, parallel=5)
    assert sorted(map(_told, together)) == sorted(map(_told, alone))
    assert sum(sample.calls for sample in together) == 4


def _told(sample: Sample) -> tuple[str, str, str, int]:
    return sample.key, sample.thought, sample.answer, sample.reply_tokens


@pytest.mark.parametrize("question", judge.STRAWBERRY)
def test_the_r_in_strawberry_are_counted_however_one_asks(
    model: Model, qwq: Profile, question: str
) -> None:
    word = next(problem for problem in SHOWCASE if problem.skill == "letters")
    for sample in asked(model, qwq, [replace(word, question=question)], samples=2):
        assert sample.right, sample


def test_questions_are_understood_as_people_type_them(model: Model, qwq: Profile) -> None:
    """A few of each skill; scripts/train_demo/judge.py asks more."""
    found = judge.judge_forms(model, 5, seed=3)
    assert set(found) == {*SKILLS, "strawberry"}
    assert sum(each["right"] for each in found.values()) >= 0.9 * sum(
        each["asked"] for each in found.values()
    ), found


def test_it_notices_slips_of_every_skill_and_mends_them(model: Model) -> None:
    """Handed a thought that stops at a slip as training plants them, it doubts and mends it.

    The card has the shares of 300 a skill (scripts/train_demo/judge.py).
    """
    found = judge.judge_slips(model, 12, seed=2)
    assert list(found) == list(judge.WORKED)
    for skill, counts in found.items():
        assert counts["asked"] == 12
        assert counts["doubted"] >= 9, (skill, counts)
        assert counts["mended"] >= 9, (skill, counts)
