"""The same problem without a governor and with one, on the same dice: several problems at once,
each pair written as soon as it is done, so that a run can be stopped and gone on with.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from qwq_gguf.chat.events import Finished, Reply
from qwq_gguf.engine.batching.engine import Engine
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.model import Model
from qwq_gguf.evaluation.grade import is_right
from qwq_gguf.evaluation.problems import Problem
from qwq_gguf.evaluation.runner import sample_seed
from qwq_gguf.profiles import Profile
from qwq_gguf.thinking import Governor
from qwq_gguf.tools import tools_named

__all__ = ["OFF", "Half", "Pair", "Pairs", "ask_pairs"]

OFF = Governor(reserve=0, loops=False, answers=False)
SCHEMA = "qwq-gguf/governor-pairs/1"


@dataclass(frozen=True, slots=True)
class Half:
    """One of the two replies."""

    right: bool
    answered: bool
    tokens: int
    thought_ended: str
    finish_reason: str
    thinking: str
    answer: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A problem's two replies."""

    key: str
    off: Half
    on: Half


class Pairs:
    """The pairs of one run, in a file of lines: what was asked, then a pair each."""

    def __init__(self, path: Path, asked: dict[str, Any]) -> None:
        """Goes on with a file of the same run; ends the program for one of another."""
        self._path = path
        self.done: dict[str, Pair] = {}
        header = {"schema": SCHEMA, **asked}
        if not path.exists():
            self._write(header)
            return
        raw = path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        if whole != raw:  # killed within a line
            path.write_bytes(whole)
        first, *lines = [json.loads(line) for line in whole.splitlines()] or [header]
        if not whole:
            self._write(header)
        if first != header:
            other = sorted(
                name for name in {*first, *header} if first.get(name) != header.get(name)
            )
            sys.exit(f"{path} is of another run: {', '.join(other)} differ. Name another file.")
        for line in lines:
            pair = Pair(line["key"], Half(**line["off"]), Half(**line["on"]))
            self.done[pair.key] = pair

    def add(self, pair: Pair) -> None:
        """Keep a pair, on the disk, too."""
        self.done[pair.key] = pair
        self._write(asdict(pair))

    def _write(self, value: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(value, ensure_ascii=False) + "\n")


def ask_pairs(
    engine: Engine,
    profile: Profile,
    governor: Governor,
    problems: Sequence[Problem],
    *,
    most: int,
    seconds: float | None = None,
) -> Iterator[Pair]:
    """The pairs of these problems, in the order in which they are done.

    As many problems at once as the engine has sequences; none is begun after so many seconds.
    Those under way when the reader leaves are interrupted.
    """
    until = None if seconds is None else time.monotonic() + seconds
    waiting = list(reversed(problems))
    profiles = [replace(profile, governor=each) for each in (OFF, governor)]
    with ThreadPoolExecutor(engine.sequences) as pool:
        running: set[Future[Pair]] = set()
        try:
            while True:
                late = until is not None and time.monotonic() >= until
                while waiting and not late and len(running) < engine.sequences:
                    problem = waiting.pop()
                    running.add(pool.submit(_pair, engine, profiles, problem, most))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for each in done:
                    yield each.result()
        finally:
            if running:
                engine.drain(0)


def _pair(engine: Engine, profiles: Sequence[Profile], problem: Problem, most: int) -> Pair:
    off, on = (_half(engine, profile, problem, most) for profile in profiles)
    return Pair(problem.key, off, on)


def _half(engine: Engine, profile: Profile, problem: Problem, most: int) -> Half:
    model: Model = engine.model
    conversation = Conversation(
        model,
        profile,
        tools=tools_named(problem.tools),
        seed=sample_seed(0, problem.key, 0),
        max_tokens=most,
        session=engine.sequence(),
    )
    *_, last = conversation.stream(problem.question)
    assert isinstance(last, Finished)
    return _told(problem, last.reply)


def _told(problem: Problem, reply: Reply) -> Half:
    return Half(
        right=is_right(problem, reply.answer),
        answered=bool(reply.answer.strip()),
        tokens=reply.thinking_tokens + reply.answer_tokens,
        thought_ended=str(reply.thought_ended),
        finish_reason=str(reply.finish_reason),
        thinking=reply.thinking,
        answer=reply.answer,
    )
