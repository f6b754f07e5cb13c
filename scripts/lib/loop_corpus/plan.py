"""Which model is asked what, under which chain and seed: decided before anything is computed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from loop_corpus.prompts import DEMO_QUESTIONS, PROMPTS, Prompt
from qwq_gguf.sampling import SamplerChain

__all__ = ["CHAINS", "HELD_OUT", "SUBJECTS", "TOKENIZERS", "Forbids", "Subject", "Task", "tasks"]

CHAINS: dict[str, SamplerChain] = {
    name: SamplerChain.from_settings(order, settings)
    for name, (order, settings) in {
        "greedy": (["greedy"], {}),
        "top_k 40, temperature 0.2": (
            ["top_k", "temperature", "dist"],
            {"top_k": 40, "temperature": 0.2},
        ),
        "top_k 40, temperature 0.5, top_p 0.95": (
            ["top_k", "temperature", "top_p", "dist"],
            {"top_k": 40, "temperature": 0.5, "top_p": 0.95},
        ),
        "top_k 40, top_p 0.95, min_p 0.05, temperature 0.8": (
            ["top_k", "top_p", "min_p", "temperature", "dist"],
            {"top_k": 40, "top_p": 0.95, "min_p": 0.05, "temperature": 0.8},
        ),
        "repeat 1.1 over 64, top_k 40, temperature 0.3": (
            ["penalties", "top_k", "temperature", "dist"],
            {"repeat_penalty": 1.1, "penalty_window": 64, "top_k": 40, "temperature": 0.3},
        ),
    }.items()
}
# What a bad chain may never say: the end of the text, as with a file that names the wrong token;
# or that, the end of the thought and line breaks, so that the demo stays in a line of its thought.
Forbids = Literal["nothing", "the end", "the end, the thought's end, lines"]
_LINES: Forbids = "the end, the thought's end, lines"
_WEIGHTS = (45, 30, 12, 3, 10)
_ENDS = 0.1  # of the replies to questions may end; texts that are gone on with always


@dataclass(frozen=True, slots=True)
class Subject:
    """A model file, how many texts it makes, how many at once, and the most tokens of each."""

    name: str
    file: str
    model: str
    quant: str
    texts: int
    together: int = 32
    most: int = 600
    raw_only: bool = False
    demo: bool = False
    forbids: Forbids | None = None


SUBJECTS = (
    Subject("demo-f16", "demo-F16.gguf", "QwQ-Demo", "F16", 100, demo=True, forbids="the end"),
    Subject(
        "demo-lines", "demo-F16.gguf", "QwQ-Demo", "F16", 96, most=640, demo=True, forbids=_LINES
    ),
    Subject(
        "demo-lines-q3",
        "demo-Q3_K_S.gguf",
        "QwQ-Demo",
        "Q3_K_S",
        64,
        most=640,
        demo=True,
        forbids=_LINES,
    ),
    Subject(
        "demo-lines-q2",
        "demo-Q2_K.gguf",
        "QwQ-Demo",
        "Q2_K",
        64,
        most=640,
        demo=True,
        forbids=_LINES,
    ),
    Subject(  # longer, because some of those above had only begun to loop at their limit
        "demo-lines-long",
        "demo-F16.gguf",
        "QwQ-Demo",
        "F16",
        64,
        most=900,
        demo=True,
        forbids=_LINES,
    ),
    Subject(
        "demo-lines-q4",
        "demo-Q4_0.gguf",
        "QwQ-Demo",
        "Q4_0",
        64,
        most=900,
        demo=True,
        forbids=_LINES,
    ),
    Subject("smol-q2", "smol-Q2_K.gguf", "SmolLM2-135M-Instruct", "Q2_K of Q4_1", 96),
    Subject("gemma-q2", "gemma-Q2_K.gguf", "gemma-3-270m", "Q2_K of Q4_K_M", 64, raw_only=True),
    Subject("qwen05-q2", "qwen05-Q2_K.gguf", "Qwen2.5-Coder-0.5B-Instruct", "Q2_K of Q4_K_M", 64),
    Subject("smol", "smol.gguf", "SmolLM2-135M-Instruct", "Q4_1", 48),
    Subject("qwen15-q2", "qwen15-Q2_K.gguf", "Qwen2.5-Coder-1.5B-Instruct", "Q2_K of Q4_K_M", 24),
    Subject("gemma", "gemma.gguf", "gemma-3-270m", "Q4_K_M", 48, raw_only=True),
    Subject("qwen05", "qwen05.gguf", "Qwen2.5-Coder-0.5B-Instruct", "Q4_K_M", 48),
)

# Whose texts were made after the detector's settings had been fixed for those of all others.
HELD_OUT = frozenset(
    (
        "demo-lines-long",
        "demo-lines-q4",
        "smol",
        "gemma-q2",
        "gemma",
        "qwen05-q2",
        "qwen05",
        "qwen15-q2",
    )
)

# Whose vocabularies cut the honest texts.
TOKENIZERS = {"qwen2": "qwen05.gguf", "gemma": "gemma.gguf", "smollm2": "smol.gguf"}


@dataclass(frozen=True, slots=True)
class Task:
    """One text to make."""

    prompt: Prompt
    chain: str
    forbids: Forbids
    seed: int


def _demo_prompts(subject: Subject) -> tuple[Prompt, ...]:
    if subject.forbids != _LINES:
        return DEMO_QUESTIONS
    draw = random.Random(f"questions {subject.name}")
    products = (f"What is {draw.randrange(10**5)}*{draw.randrange(10**5)}?" for _ in range(40))
    sums = (f"What is {draw.randrange(10**7)}+{draw.randrange(10**7)}?" for _ in range(20))
    return (*DEMO_QUESTIONS, *(Prompt("chat", text) for text in (*products, *sums)))


def tasks(subject: Subject) -> list[Task]:
    """The texts of a subject, the same at every call."""
    draw = random.Random(f"loops {subject.name}")
    prompts = [
        prompt
        for prompt in (_demo_prompts(subject) if subject.demo else PROMPTS)
        if prompt.form == "raw" or not subject.raw_only
    ]
    made: list[Task] = []
    while len(made) < subject.texts:
        draw.shuffle(prompts)
        for prompt in prompts:
            (chain,) = draw.choices(tuple(CHAINS), _WEIGHTS)
            free = prompt.form == "raw" or draw.random() < _ENDS
            forbids: Forbids = subject.forbids or ("nothing" if free else "the end")
            made.append(Task(prompt, chain, forbids, draw.randrange(1 << 31)))
    return made[: subject.texts]
