"""The trainer's words against the package's: what the model learned is what it is shown."""

from __future__ import annotations

import itertools
import random
import re
from typing import Any

import pytest
from tokenizers import Tokenizer

from qwq_gguf.chat.messages import Message, ToolCall, ToolSpec
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.evaluation.grading import grade
from qwq_gguf.evaluation.suites.problems import SKILLS
from qwq_gguf.evaluation.suites.skills import generate
from qwq_gguf.resources import demo_checkpoint
from qwq_gguf.tools import Calculator
from support.trainer import conversations, forms, thoughts

TEMPLATE = ChatTemplate(conversations.TEMPLATE)


def test_the_calculator_still_says_of_itself_what_was_trained() -> None:
    assert Calculator().spec.to_json() == conversations.CALCULATOR


def test_most_calculators_that_are_offered_are_described_otherwise() -> None:
    rng = random.Random(15)
    told = [conversations.offered(rng) for _ in range(400)]
    others = [tool for tool in told if tool != conversations.CALCULATOR]
    assert 200 < len(others) < 300
    assert len({tool["function"]["description"] for tool in others}) > 5
    for tool in others:  # whatever is said of it, a call of it is written alike
        function = tool["function"]
        assert function["name"] == "calculator"
        assert list(function["parameters"]["properties"]) == ["expression"]


def _message(data: dict[str, Any]) -> Message:
    calls = tuple(
        ToolCall(call["function"]["name"], call["function"]["arguments"])
        for call in data.get("tool_calls", ())
    )
    return Message(data["role"], data["content"], tool_calls=calls)


CALL = {"function": {"name": "calculator", "arguments": {"expression": "2*3"}}}
USER = {"role": "user", "content": "What is 2*3?"}


@pytest.mark.parametrize(
    "talk",
    [
        [USER],
        [{"role": "system", "content": "Answer briefly."}, USER],
        [USER, {"role": "assistant", "content": "2*3 = \\boxed{6}"}, USER],
        [
            USER,
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "content": "6"},
        ],
    ],
)
@pytest.mark.parametrize("with_tool", [False, True])
def test_prompts_are_the_chat_rooms_to_the_letter(
    talk: list[dict[str, Any]], with_tool: bool
) -> None:
    function = conversations.CALCULATOR["function"]
    tools = (ToolSpec(**function),) if with_tool else ()
    shown = TEMPLATE.render([_message(m) for m in talk], tools).text
    assert conversations.render(talk, [conversations.CALCULATOR] if with_tool else []) == shown


@pytest.mark.parametrize("skill", [skill for skill in SKILLS if skill != "calculator"])
def test_every_worked_thought_reaches_the_answer(skill: str) -> None:
    rng = random.Random(11)
    for _ in range(200):
        problem = generate(skill, rng, held_out=False)
        assert grade(problem.to_question(), thoughts.answer(problem)).right
        for slip in (0.0, 1.0):
            spans = thoughts.write(thoughts.steps(problem), rng, slip)
            wrong = [span for span in spans if _is_slip(span)]
            assert bool(wrong) == bool(slip)
            assert all(span.text == thoughts.WAIT for span in _after_slips(spans))
            assert _concluded("".join(span.text for span in spans)) == problem.answer


def _concluded(thought: str) -> str:
    """What a thought says last: `So 301.` or `The larger is 9.9.`"""
    return thought.removesuffix(".").split()[-1]


def _after_slips(spans: list[thoughts.Span]) -> list[thoughts.Span]:
    return [spans[i + 1] for i, span in enumerate(spans) if _is_slip(span)]


def _is_slip(span: thoughts.Span) -> bool:
    return span.weight == 0 and span.text != thoughts.WAIT


def test_some_doubts_are_needless_and_find_the_line_right() -> None:
    rng = random.Random(15)
    needless = 0
    for _ in range(200):
        steps = thoughts.steps(generate("add", rng, held_out=False))
        spans = thoughts.write(steps, rng, 1.0)
        for line, doubt, again in zip(spans, spans[1:], spans[2:], strict=False):
            if doubt == thoughts.Span(thoughts.WAIT, 0.0):
                needless += 1
                assert line.weight == 1.0
                assert again.text.rstrip(",. ").endswith(line.text.split("=")[-1].split()[-1])
    assert 20 < needless < 80


@pytest.mark.parametrize("skill", [skill for skill in SKILLS if skill != "calculator"])
def test_slips_are_tokenized_as_a_model_would_write_them(skill: str) -> None:
    """A line that stops at its slip has the same tokens whole as span by span.

    Were ` <` split, the model would be trained on what it never writes itself.
    """
    tokenizer = Tokenizer.from_file(str(demo_checkpoint() / "tokenizer.json"))

    def tokens(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    rng = random.Random(12)
    for _ in range(60):
        spans = thoughts.write(thoughts.steps(generate(skill, rng, held_out=False)), rng, 1.0)
        for work, slip in itertools.pairwise(spans):
            if _is_slip(slip):
                assert tokens(work.text) + tokens(slip.text) == tokens(work.text + slip.text)


@pytest.mark.parametrize("skill", [skill for skill in SKILLS if skill != "calculator"])
def test_every_line_with_a_result_slips_and_conclusions_often(skill: str) -> None:
    rng = random.Random(13)
    for _ in range(6):
        steps = thoughts.steps(generate(skill, rng, held_out=False))
        chosen = [i for _ in range(200) for i in thoughts.choose_slips(steps, rng)]
        assert set(chosen) == {i for i, step in enumerate(steps) if step.result}
        assert sum(steps[i].concludes for i in chosen) > 0.25 * len(chosen)
        for step in steps:
            if step.result:
                assert all(thoughts.wrong_result(step, rng) != step.result for _ in range(20))


def test_letters_that_count_slip_as_often_as_all_that_do_not() -> None:
    """One letter of some ten counts: were all lines drawn alike, few slips would be there."""
    rng = random.Random(14)
    rare = often = 0
    for _ in range(100):
        steps = thoughts.steps(generate("letters", rng, held_out=False))
        if not any(step.rare for step in steps):
            continue
        chosen = [steps[i] for _ in range(20) for i in thoughts.choose_slips(steps, rng)]
        rare += sum(step.rare for step in chosen)
        often += sum(not step.rare and not step.concludes for step in chosen)
    assert rare > often


def test_columns_are_worked_right() -> None:
    """Every `digits=result` of a thought without slips is true."""
    rng = random.Random(5)
    for skill in ("multiply", "add", "subtract"):
        for _ in range(100):
            spans = thoughts.write(thoughts.steps(generate(skill, rng, held_out=False)), rng, 0.0)
            text = "".join(span.text for span in spans)
            columns = [word.strip(",.") for word in text.split() if "=" in word.strip(",.=")]
            assert columns
            for column in columns:
                work, _, result = column.partition("=")
                assert _value(work) == int(result), column


def _value(work: str) -> int:
    """`7*8+3`, `7+8+1` or `17-8-1`, without eval."""
    if "*" in work:
        product, _, carry = work.partition("+")
        a, _, b = product.partition("*")
        return int(a) * int(b) + int(carry)
    if "+" in work:
        return sum(map(int, work.split("+")))
    first, *rest = map(int, work.split("-"))
    return first - sum(rest)


@pytest.mark.parametrize("skill", SKILLS)
def test_other_words_ask_the_same_problem(skill: str) -> None:
    """Each form holds the numbers, or the word and the letter, in the order that it needs."""
    rng = random.Random(14)
    asked = set()
    for _ in range(300):
        problem = generate(skill, rng, held_out=False)
        question = forms.ask(problem, rng)
        asked.add(re.sub(r"[\d.,]+", "0", question))
        text = question.lower().replace("\u00d7", "*")
        if skill == "letters":
            word, letter = problem.operands
            assert word in text
            assert re.search(rf"\b{letter}(s|'s)?\b", text), question
            continue
        numbers = re.findall(r"\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d{3})", "", question))
        wanted = list(problem.operands[:2])
        if skill == "calculator":
            wanted = re.findall(r"\d+", problem.operands[0])
        swapped = re.search(r"subtract|take .* away|after taking", text)
        assert numbers == wanted or (swapped and numbers[::-1] == wanted), question
    assert len(asked) > 40
