"""Conversations with a scripted model that calls tools as badly as real ones do."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from qwq_gguf.chat.events import Finished, Reply
from qwq_gguf.chat.messages import ToolSpec
from qwq_gguf.engine.conversation import Conversation
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.errors import ToolError
from qwq_gguf.profiles import Profile
from qwq_gguf.sampling import Greedy, SamplerChain
from support.scripted import ScriptedModel, ScriptedSession

__all__ = ["CALLERS", "Caller", "drawn_caller", "reply_of_caller"]


class _Adder:
    spec = ToolSpec("add", "Adds.", {"type": "object", "properties": {}})

    def run(self, arguments: Mapping[str, Any]) -> str:
        if "a" not in arguments:
            raise ToolError("a is missing")
        return str(arguments["a"])


def _call(dice: random.Random, *, same: bool = False) -> str:
    number = 2 if same else dice.randrange(10**6)
    return f'<tool_call>\n{{"name": "add", "arguments": {{"a": {number}}}}}\n</tool_call>'


def _words(dice: random.Random, most: int = 30) -> str:
    words = ("so", "then", "seven", "43", "carry", "the", "one")
    return " ".join(dice.choice(words) for _ in range(dice.randrange(most)))


def _answers(dice: random.Random) -> str:
    return f"{_words(dice)}</think>\n\n{dice.choice(('5', 'It is 5.'))}"


# One round each; the round's number comes first.
CALLERS: dict[str, Callable[[int, random.Random], str]] = {
    "always calls": lambda n, dice: f"{_words(dice)}</think>\n\n{_call(dice)}",
    "always calls the same": lambda n, dice: f"x</think>{_call(dice, same=True)}",
    "calls in the thought": lambda n, dice: f"{_words(dice)}\n{_call(dice)}",
    "calls and rambles": lambda n, dice: f"</think>{_call(dice)}\n{_words(dice, 400)}",
    "rambles and calls": lambda n, dice: f"{_words(dice)}</think>{_words(dice)}\n{_call(dice)}",
    "alternates": lambda n, dice: (
        f"{_words(dice)}\n{_call(dice)}" if n % 2 else f"x</think>{_call(dice, same=True)}"
    ),
    "several in one tag": lambda n, dice: (
        f"</think>{_call(dice).replace('</tool_call>', '')}{_call(dice)}"
    ),
    "breaks its calls": lambda n, dice: f"</think>{_call(dice)[: dice.randrange(1, 60)]}",
    "calls what is not there": lambda n, dice: f"</think>{_call(dice).replace('add', 'fly')}",
    "says nothing": lambda n, dice: f"</think>{_call(dice)}" if n == 0 else "</think>\n\n",
    "blank": lambda n, dice: f"</think>{_call(dice)}" if n == 0 else "</think>" + "\n" * 500,
    "answers": lambda n, dice: _call(dice) if n == 0 else _answers(dice),
}


@dataclass(frozen=True)
class Caller:
    """One turn that is asked for."""

    behaviour: str
    seed: int
    tool_rounds: int = 8
    max_tokens: int | None = None
    context: int = 4096


class _Endless(list[str]):
    def __init__(self, case: Caller) -> None:
        self._rounds = self._made(case)

    def _made(self, case: Caller) -> Iterator[str]:
        dice, number = random.Random(case.seed), 0
        while True:
            yield CALLERS[case.behaviour](number, dice)
            number += 1

    def pop(self, index: Any = -1) -> str:
        return next(self._rounds)


def drawn_caller(seed: int) -> Caller:
    """Any of the turns there are."""
    dice = random.Random(f"caller {seed}")
    return Caller(
        dice.choice(list(CALLERS)),
        seed,
        tool_rounds=dice.randrange(9),
        max_tokens=dice.choice((None, None, dice.randrange(1, 600))),
        context=dice.choice((4096, 4096, dice.randrange(700, 2000))),
    )


def reply_of_caller(case: Caller) -> tuple[Reply, int]:
    """The reply to a turn, and how often the model was asked."""
    model = ScriptedModel()
    session = ScriptedSession(model, [])
    session.replies = _Endless(case)
    session.last_resort = ord("~")
    session.context_size = case.context
    conversation = Conversation(
        cast(Model, model),
        Profile("test", "", SamplerChain((Greedy(),)), stops=("<|im_end|>",)),
        session=cast(Session, session),
        tools=[_Adder()],
        seed=case.seed,
        tool_rounds=case.tool_rounds,
        max_tokens=case.max_tokens,
    )
    *_, last = conversation.stream("What is it?")
    assert isinstance(last, Finished)
    return last.reply, len(session.prompts)
