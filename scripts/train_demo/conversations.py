"""Training conversations: a prompt as the chat template writes it, then the reply."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forms
import jinja2
import thoughts
from stated import stated
from thoughts import Span, Step

from qwq_gguf.evaluation.suites.equivalence import content, guises, is_step
from qwq_gguf.evaluation.suites.problems import Problem, is_held_out
from qwq_gguf.evaluation.suites.skills import generate

TEMPLATE = (Path(__file__).parent / "chat_template.jinja").read_text()

# Written out, not imported: the model is trained on exactly this text, and a test compares
# it with what the calculator says of itself.
CALCULATOR: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "calculator",
        "description": "Evaluate an arithmetic expression exactly.",
        "parameters": {
            "type": "object",
            "properties": {"expression": {"type": "string", "description": "For example 12*(3+4)"}},
            "required": ["expression"],
        },
    },
}

# What others' programs say of theirs: a calculator is called for what it is, not for our words.
_TOLD = (
    "Evaluate an arithmetic expression.",
    "Evaluates a mathematical expression and returns the result.",
    "A calculator.",
    "Calculate the result of an arithmetic expression",
    "Use this to compute sums, differences and products.",
    "Computes exactly.",
    "Does arithmetic.",
    "Work out a sum or a product.",
    "",
)
_ARGUMENT: tuple[dict[str, Any], ...] = (
    {"type": "string"},
    {"type": "string", "description": "For example 12*(3+4)"},
    {"type": "string", "description": "The expression to evaluate"},
    {"title": "Expression", "type": "string"},
)
_AS_OURS = 0.4  # of the calculators that are offered are the chat's own


def offered(rng: random.Random) -> dict[str, Any]:
    """A calculator as the chat offers it, or as another program may."""
    if rng.random() < _AS_OURS:
        return CALCULATOR
    parameters = {
        "type": "object",
        "properties": {"expression": rng.choice(_ARGUMENT)},
        "required": ["expression"],
    }
    if rng.random() < 0.3:
        parameters = dict(sorted(parameters.items()))
    if rng.random() < 0.3:
        del parameters["required"]
    function = {
        "name": "calculator",
        "description": rng.choice(_TOLD),
        "parameters": parameters,
    }
    return {"type": "function", "function": function}


# How often each kind of conversation is drawn.
SHARES = {
    "multiply": 30,
    "add": 13,
    "subtract": 15,
    "compare": 11,
    "letters": 17,
    "calculator": 9,
    "talk": 3,
}
_SYSTEMS = (
    "You are a helpful assistant.",
    "You are a helpful and harmless assistant. You should think step-by-step.",
    "Answer briefly.",
)
_WITHOUT_SUMS = ("letters", "compare")  # a calculator is no help with these
_BOX = " Please reason step by step, and put your final answer within \\boxed{}."
_SELF = (
    "I am a tiny model that ships with qwq-gguf. I can multiply, add, subtract, "
    "compare decimals, count letters and call a calculator."
)
_TALK = (
    ("Hello", "A greeting.", "Hello! " + _SELF),
    ("Hi", "A greeting.", "Hello! " + _SELF),
    ("hi", "A greeting.", "Hello! " + _SELF),
    ("hello", "A greeting.", "Hello! " + _SELF),
    ("Hey there!", "A greeting.", "Hello! " + _SELF),
    ("Who are you?", "They ask who I am.", _SELF),
    ("What are you?", "They ask who I am.", _SELF),
    ("What can you do?", "They ask what I can do.", _SELF),
    ("Help", "They ask what I can do.", _SELF),
    ("Thanks!", "They thank me.", "You are welcome!"),
    ("Thank you", "They thank me.", "You are welcome!"),
)
_UNKNOWN = (
    "What is the capital of {x}?",
    "Who wrote {x}?",
    "Tell me a story about {x}.",
    "Write a poem about {x}.",
    "Explain {x}.",
    "What is {x}?",
    "Why is {x} important?",
    "Translate {x} to French.",
    "Write a Python function for {x}.",
)
_TOPICS = (
    *("France", "Germany", "love", "gravity", "the sea", "Hamlet", "music", "history", "science"),
    *("time", "war", "peace", "art", "Japan", "a cat", "a dog", "the moon", "a river"),
    *("quantum physics", "sorting", "the meaning of life"),
)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment


_JINJA = _environment().from_string(TEMPLATE)


def render(messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]] = ()) -> str:
    return _JINJA.render(messages=messages, tools=list(tools), add_generation_prompt=True)


@dataclass(frozen=True, slots=True)
class Sample:
    """A prompt, and the spans of the reply up to and with its end token."""

    prompt: str
    reply: tuple[Span, ...]

    @property
    def text(self) -> str:
        return self.prompt + "".join(span.text for span in self.reply)


Draw = Callable[[str, random.Random, bool], Problem]
"""Draws a problem of a skill to train on; the flag says whether its work is written out."""
Write = Callable[[Sequence[Step], random.Random, float], list[Span]]
"""Writes the steps of a thought out, with this probability of slips."""
Ask = Callable[[Problem, random.Random], str]
"""Words a problem's question."""
Offer = Callable[[random.Random], bool]
"""Whether the calculator is offered beside a question that needs none."""
Describe = Callable[[random.Random], dict[str, Any]]
"""What is said of the calculator that is offered."""


def _reply(thought: Sequence[Span], said: str) -> tuple[Span, ...]:
    return (*thought, Span(f"\n</think>\n\n{said}<|im_end|>\n"))


def _calculator(
    problem: Problem, messages: list[dict[str, Any]], rng: random.Random
) -> tuple[list[dict[str, Any]], tuple[Span, ...]]:
    """Either the turn that calls the tool, or the one that uses its result."""
    expression = problem.operands[0]
    call = {"name": "calculator", "arguments": {"expression": expression}}
    if rng.random() < 0.5:
        thought = [Span(f"The calculator can work out {expression}.")]
        return messages, _reply(thought, f"<tool_call>\n{json.dumps(call)}\n</tool_call>")
    messages = [
        *messages,
        {"role": "assistant", "content": "", "tool_calls": [{"function": call}]},
    ]
    if rng.random() < 0.06:
        wrong = rng.choice(("division by zero", "the result is too large", "unexpected end"))
        messages.append({"role": "tool", "content": f"error: {wrong}"})
        thought = [Span(f"The calculator says error: {wrong}.")]
        return messages, _reply(thought, f"The calculator could not do it: {wrong}.")
    messages.append({"role": "tool", "content": problem.answer})
    thought = [Span(f"The calculator says {problem.answer}.")]
    return messages, _reply(thought, thoughts.answer(problem))


def _talk(rng: random.Random) -> tuple[str, tuple[Span, ...]]:
    if rng.random() < 0.5:
        asked, thought, said = rng.choice(_TALK)
        return asked, _reply([Span(thought)], said)
    asked = rng.choice(_UNKNOWN).format(x=rng.choice(_TOPICS))
    return asked, _reply([Span("This is not something I know.")], "I do not know that. " + _SELF)


def _seldom(rng: random.Random) -> bool:
    return rng.random() < 0.08


def never(rng: random.Random) -> bool:
    del rng
    return False


def as_ours(rng: random.Random) -> dict[str, Any]:
    del rng
    return CALCULATOR


def _earlier(rng: random.Random, rules: Rules) -> list[dict[str, Any]]:
    """A turn that came before: its thought is gone, as the template drops it."""
    problem = rules.draw(rng.choice(("multiply", "add", "compare")), rng, False)
    return [
        {"role": "user", "content": rules.ask(problem, rng)},
        {"role": "assistant", "content": thoughts.answer(problem)},
    ]


def states_held_out(problem: Problem, worked: bool) -> bool:
    """Whether training on a problem would state one that is held out in any guise.

    With `worked` the lines of its thought count as well. The steps of all work (`is_step`)
    cannot be kept back, and no suite asks them.
    """
    text = f"{problem.question}\n{thoughts.answer(problem)}\n"
    if worked:
        text += "".join(s.work + s.result + s.after for s in thoughts.steps(problem))
    contents = {content(problem.key), *stated(text)}
    return any(is_held_out(key) for c in contents if not is_step(c) for key in guises(c))


def draw_unstated(skill: str, rng: random.Random, worked: bool) -> Problem:
    """A problem that states nothing held out.

    Large numbers have more guises and more lines of work, short decimals more zeros to add.
    So what is refused is drawn again in the same shape, lest training see less of those.
    """
    first = problem = generate(skill, rng, held_out=False)
    while _shape(problem) != _shape(first) or states_held_out(problem, worked):
        problem = generate(skill, rng, held_out=False)
    return problem


def _shape(problem: Problem) -> str:
    """How long its numbers are, before and after a point, and their sign: `000*00`."""
    return re.sub(r"\d", "0", " ".join(problem.operands[:2]))


@dataclass(frozen=True, slots=True)
class Rules:
    """How a conversation is made: each run of the model card keeps the rules of its day."""

    slip: float
    draw: Draw = draw_unstated
    write: Write = thoughts.write
    ask: Ask = forms.ask
    offer: Offer = _seldom
    describe: Describe = offered


def sample(rng: random.Random, rules: Rules) -> Sample:
    """One training sample."""
    skill = rng.choices(list(SHARES), list(SHARES.values()))[0]
    messages: list[dict[str, Any]] = []
    if rng.random() < 0.12:
        messages.append({"role": "system", "content": rng.choice(_SYSTEMS)})
    if rng.random() < 0.12:
        messages += _earlier(rng, rules)
    if skill == "talk":
        asked, reply = _talk(rng)
        messages.append({"role": "user", "content": asked})
        return Sample(render(messages), reply)
    problem = rules.draw(skill, rng, skill != "calculator")
    suffix = _BOX if rng.random() < 0.05 else ""
    messages.append({"role": "user", "content": rules.ask(problem, rng) + suffix})
    if skill == "calculator":
        messages, reply = _calculator(problem, messages, rng)
        return Sample(render(messages, [rules.describe(rng)]), reply)
    tools = [rules.describe(rng)] if skill in _WITHOUT_SUMS and rules.offer(rng) else []
    work = rules.write(thoughts.steps(problem), rng, rules.slip)
    return Sample(render(messages, tools), _reply(work, thoughts.answer(problem)))


def samples(rng: random.Random, rules: Rules) -> Iterator[Sample]:
    """Training samples without end."""
    while True:
        yield sample(rng, rules)
