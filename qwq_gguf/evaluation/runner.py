"""Ask a model the problems of a suite and record each reply."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from qwq_gguf.chat.events import Finished, Reply
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.session import Session
from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.grading import grade
from qwq_gguf.evaluation.suites.problems import Problem
from qwq_gguf.evaluation.summary import Sample
from qwq_gguf.tools import tools_named

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.profiles import Profile

__all__ = ["Ask", "ask_model", "run_suite", "sample_seed"]

Ask = Callable[[Problem, int], Reply]
"""Answer a problem with a seed, in a conversation of its own."""

_SEEDS = 2**32 - 1  # llama.cpp takes its largest seed for "any"


def sample_seed(seed: int, key: str, number: int) -> int:
    """The seed of the n-th sample of a problem.

    It depends on the run's seed and the problem alone, so that profiles and quants are
    compared on the same dice, and a suite's limit moves no sample.
    """
    digest = hashlib.sha256(f"{seed}|{number}|{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % _SEEDS


def run_suite(
    ask: Ask, problems: Sequence[Problem], *, profile: str, samples: int = 1, seed: int = 0
) -> Iterator[Sample]:
    """Ask every problem `samples` times; yields each record as soon as it is made."""
    for problem in problems:
        for number in range(samples):
            own = sample_seed(seed, problem.key, number)
            began = time.perf_counter()
            reply = ask(problem, own)
            seconds = time.perf_counter() - began
            yield _record(problem, reply, profile, number, own, seconds)


def _record(
    problem: Problem, reply: Reply, profile: str, number: int, seed: int, seconds: float
) -> Sample:
    return Sample(
        profile=profile,
        key=problem.key,
        skill=problem.skill,
        question=problem.question,
        expected=problem.answer,
        number=number,
        seed=seed,
        right=grade(problem.to_question(), reply.answer).right,
        closed=bool(reply.answer.strip()),
        answer=reply.answer,
        thinking=reply.thinking,
        thinking_tokens=reply.thinking_tokens,
        answer_tokens=reply.answer_tokens,
        prompt_tokens=reply.prompt_tokens,
        finish_reason=str(reply.finish_reason),
        thought_ended=str(reply.thought_ended),
        tool_calls=len(reply.tool_calls),
        seconds=seconds,
    )


def ask_model(model: Model, profile: Profile, *, max_tokens: int | None = None) -> Ask:
    """An `Ask` that puts each problem to `model` in a fresh conversation with its tools.

    Prompts that begin alike share their computation, which changes no reply.
    """
    session = Session(model)

    def ask(problem: Problem, seed: int) -> Reply:
        conversation = Conversation(
            model,
            profile,
            tools=tools_named(problem.tools),
            seed=seed,
            max_tokens=max_tokens,
            session=session,
        )
        for event in conversation.stream(problem.question):
            if isinstance(event, Finished):
                return event.reply
        raise EvaluationError("the model's reply never finished", found=problem.key)

    return ask
