"""Ask a trained demo what its card claims beyond the suites: forms of questions, and slips.

    python scripts/train_demo/judge.py QwQ-Demo-Q4_K_M.gguf [--limit 100] [--seed 2]

Every problem is held out. A form is any that `forms.py` can type and the suites do not. A slip is
a wrong result as training plants them, `--limit` of each skill in any line alike, and as many in
lines that conclude: the model is handed the thought up to the wrong result and goes on from there.
It doubts if it says "Wait" next, and mends if it ends right. A tool is the calculator in words that
training does not have: the model is offered it, and the call is the one right answer.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import forms
import thoughts

from qwq_gguf.chat.messages import Message, ToolSpec
from qwq_gguf.chat.prompt import Segment
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.evaluation.asking.plan import plan_replies
from qwq_gguf.evaluation.asking.running import ask
from qwq_gguf.evaluation.asking.sample import Cell
from qwq_gguf.evaluation.grading import grade
from qwq_gguf.evaluation.suites.problems import SHOWCASE, SKILLS, Problem
from qwq_gguf.evaluation.suites.skills import suite
from qwq_gguf.profiles import load_profile

WORKED = tuple(skill for skill in SKILLS if skill != "calculator")
STRAWBERRY = (
    'How many r\'s are in the word "strawberry"?',
    'How many r\'s are in the word "strawberry"',
    "How many r's are in strawberry?",
    "how many rs in strawberry",
    "How many times does the letter r appear in strawberry?",
    "How many R's are in the word 'Strawberry'?",
)


def otherwise(problem: Problem, rng: random.Random) -> Problem:
    """The problem in words that the suites do not use."""
    while (asked := forms.ask(problem, rng)) == problem.question:
        pass
    return replace(problem, question=asked)


def typed(limit: int, seed: int) -> Iterator[tuple[str, Problem]]:
    """Held-out problems of every skill, each in one other form; then the strawberry."""
    rng = random.Random(seed)
    for skill in SKILLS:
        for problem in suite(skill, limit=limit, seed=seed):
            yield skill, otherwise(problem, rng)
    word = next(problem for problem in SHOWCASE if problem.skill == "letters")
    for question in STRAWBERRY:
        yield "strawberry", replace(word, question=question, key=f"letters:{question}")


def judge_forms(model: Model, limit: int, seed: int) -> dict[str, Any]:
    """Right answers by skill, and what was asked where they were wrong."""
    profile = load_profile("qwq")
    cell = Cell("demo", profile.name, "default")
    asked = list(typed(limit, seed))
    found: dict[str, Any] = {}
    for skill in dict.fromkeys(skill for skill, _ in asked):
        problems = [problem for drawn, problem in asked if drawn == skill]
        questions = {problem.key: problem.to_question() for problem in problems}
        samples = 5 if skill == "strawberry" else 1
        wanted = plan_replies([cell], list(questions.values()), samples=samples, seed=seed)
        replies = list(ask(model, wanted, {cell: profile}, parallel=16))
        found[skill] = {
            "asked": len(replies),
            "right": sum(reply.right for reply in replies),
            "wrong": [questions[reply.key].text for reply in replies if not reply.right],
        }
    return found


TOOLS = (
    {"name": "calculator", "description": "Work out an expression."},
    {"name": "calculator", "description": "Evaluate arithmetic, for example 2+3."},
    {"name": "calculator", "description": "Get the value of a mathematical expression"},
)
_ARGUMENTS: dict[str, Any] = {
    "type": "object",
    "properties": {"expression": {"type": "string"}},
    "required": ["expression"],
}


def writer(model: Model) -> Callable[..., str]:
    """What the model writes behind a question, the tools it is offered and a thought begun."""
    profile = load_profile("qwq")
    assert model.chat_template is not None
    template = ChatTemplate(model.chat_template)
    session = Session(model)

    def write(question: str, tools: Sequence[ToolSpec] = (), begun: str = "") -> str:
        messages = [Message("user", question)]
        prompt = template.render(messages, tools, control_tokens=model.control_tokens)
        tokens = model.encode([*prompt.segments, Segment(begun, control=False)])
        made = session.generate(tokens, profile.chain, seed=1, max_tokens=400)
        return b"".join(piece for _, piece in made).decode()

    return write


def judge_tools(model: Model, limit: int, seed: int) -> dict[str, Any]:
    """Calls of a calculator that others describe, and where there was none or a wrong one."""
    write = writer(model)
    wrong, problems = [], suite("calculator", limit=limit, seed=seed)
    for number, problem in enumerate(problems):
        tool = ToolSpec(**TOOLS[number % len(TOOLS)], parameters=_ARGUMENTS)
        called = json.dumps(
            {"name": "calculator", "arguments": {"expression": problem.operands[0]}}
        )
        if called not in write(problem.question, [tool]):
            wrong.append(problem.question)
    return {"asked": len(problems), "right": len(problems) - len(wrong), "wrong": wrong}


def planted(
    skill: str, limit: int, seed: int, *, concluding: bool = False
) -> Iterator[tuple[Problem, str]]:
    """Problems with a thought that stops at a slip, in a line that concludes or in any."""
    rng = random.Random(f"{seed} {skill}")
    for problem in suite(skill, limit=limit, seed=seed):
        steps = thoughts.steps(problem)
        lines = [i for i, s in enumerate(steps) if s.result and (s.concludes or not concluding)]
        slip = rng.choice(lines)
        begun = "".join(step.work + step.result + step.after for step in steps[:slip])
        yield problem, begun + steps[slip].work + thoughts.wrong_result(steps[slip], rng)


def judge_slips(
    model: Model, limit: int, seed: int, *, concluding: bool = False
) -> dict[str, dict[str, int]]:
    """Doubts and mended answers by skill."""
    write = writer(model)
    found = {}
    for skill in WORKED:
        counts = {"asked": 0, "doubted": 0, "mended": 0}
        for problem, begun in planted(skill, limit, seed, concluding=concluding):
            written = write(problem.question, begun=begun)
            counts["asked"] += 1
            counts["doubted"] += written.lstrip(" .,").startswith("Wait")
            counts["mended"] += grade(problem.to_question(), written.partition("</think>")[2]).right
        found[skill] = counts
    return found


def main() -> None:
    """Read the command line, ask, and print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--limit", type=int, default=100, help="problems of a skill")
    parser.add_argument("--seed", type=int, default=2)
    asked = parser.parse_args()
    with Model.load(asked.model) as model:
        found = {
            "forms": judge_forms(model, asked.limit, asked.seed),
            "tools": judge_tools(model, asked.limit, asked.seed),
            "slips": judge_slips(model, asked.limit, asked.seed),
            "concluding": judge_slips(model, asked.limit, asked.seed, concluding=True),
        }
    print(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
