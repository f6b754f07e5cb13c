"""A model without weights that misbehaves as real ones do, to see that there is always an answer.

It knows nothing of llama.cpp: it drives a ReplyDriver through what `Steered` promises, and picks
each token from a few that its mood of the moment ranks.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from qwq_gguf.chat.events import FinishReason, Responded, Response
from qwq_gguf.chat.tool_formats import HERMES
from qwq_gguf.engine.llama.pieces import beginning, blank
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.replies import Governing, ReplyDriver, ReplyStream
from qwq_gguf.profiles import Profile
from qwq_gguf.sampling import Greedy, SamplerChain
from qwq_gguf.thinking import Governor, ThinkingTags, ThoughtSplitter, holds_thought
from qwq_gguf.thinking.governor import STANDARD_WORDS

__all__ = ["ANSWERS", "THOUGHTS", "Case", "UnrulyModel", "answered", "drawn_case", "reply_to"]

STOP_TEXT = "\nUser:"
CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 2}}\n</tool_call>'
_TOKEN_SECONDS = 0.01
_WORDS = (
    *("so it is", " seven", " times", " then", " carry", " the", " one", ".", " and", " 43"),
    *("\n", "\n\n", " Wait", "Wait", " Hmm", ",", "Answer", ":", " 301", "=", "*"),
    *STANDARD_WORDS.replace(" ", "| ").split("|"),
)

Ranked = Sequence[int]
"""Tokens, the best first."""
Mood = Callable[["UnrulyModel", random.Random], Iterator[Ranked]]


class UnrulyModel:
    """As much of a Model as governing a reply takes. `spelled`: its tags are no tokens."""

    def __init__(self, tags: ThinkingTags, *, spelled: bool) -> None:
        self.tags = tags
        self.pieces = [bytes([byte]) for byte in range(256)]
        self._by_text = {}
        for word in dict.fromkeys(_WORDS):
            if len(word.encode()) > 1:
                self._by_text[word] = len(self.pieces)
                self.pieces.append(word.encode())
        control = ["<|im_end|>", "<|endoftext|>", *(() if spelled else (tags.open, tags.close))]
        self.control_tokens = {}
        for text in control:
            self.control_tokens[text] = len(self.pieces)
            self.pieces.append(text.encode())
        self.ends = (self.control_tokens["<|im_end|>"], self.control_tokens["<|endoftext|>"])
        self._longest = max(map(len, self._by_text))

    @property
    def vocabulary(self) -> UnrulyModel:
        return self

    def blank_tokens(self) -> frozenset[int]:
        return blank(self.pieces).union(self.control_tokens.values())

    def beginning_tokens(self, texts: tuple[str, ...]) -> frozenset[int]:
        return beginning(self.pieces, texts)

    def token_id(self, text: str) -> int | None:
        return self.control_tokens.get(text)

    def encode_text(self, text: str) -> list[int]:
        tokens: list[int] = []
        at = 0
        while at < len(text):
            for size in range(min(self._longest, len(text) - at), 0, -1):
                token = self._by_text.get(text[at : at + size])
                if token is not None:
                    tokens.append(token)
                    at += size
                    break
            else:
                tokens += text[at].encode()
                at += 1
        return tokens

    def tag(self, text: str) -> list[int]:
        token = self.token_id(text)
        return self.encode_text(text) if token is None else [token]

    def word(self, dice: random.Random) -> int:
        return self._by_text[dice.choice(_WORDS[:7])]


def _say(tokens: Sequence[int]) -> Iterator[Ranked]:
    for token in tokens:
        yield (token,)


def _words(model: UnrulyModel, dice: random.Random, count: int) -> Iterator[Ranked]:
    for number in range(count):
        yield (ord("."), ord(",")) if number % 9 == 8 else (model.word(dice), ord("x"))


def _end(model: UnrulyModel, dice: random.Random) -> Iterator[Ranked]:
    while True:
        yield (*model.ends, model.word(dice))


def _rambles(model: UnrulyModel, dice: random.Random) -> Iterator[Ranked]:
    return _words(model, dice, 10**9)


def _loops(model: UnrulyModel, dice: random.Random) -> Iterator[Ranked]:
    yield from _words(model, dice, dice.randrange(30))
    phrase = [model.word(dice) for _ in range(dice.randrange(1, 12))]
    while True:
        yield from _say(phrase)


def _honest_thought(model: UnrulyModel, dice: random.Random) -> Iterator[Ranked]:
    yield from _words(model, dice, dice.randrange(1, 120))
    yield from _say([ord("\n"), *model.tag(model.tags.close)])


def _closes_at_once(model: UnrulyModel, dice: random.Random) -> Iterator[Ranked]:
    yield from _say(model.tag(model.tags.close))


def _ends_turn(model: UnrulyModel, dice: random.Random) -> Iterator[Ranked]:
    yield from _words(model, dice, dice.randrange(60))
    yield from _end(model, dice)


def _broken(model: UnrulyModel, dice: random.Random) -> Iterator[Ranked]:
    for _ in range(dice.randrange(1, 60)):
        yield (dice.randrange(0x80, 0x100),)
    yield from _ends_turn(model, dice)


def _calls(model: UnrulyModel, dice: random.Random) -> Iterator[Ranked]:
    yield from _words(model, dice, dice.randrange(20))
    call = CALL[: dice.choice((len(CALL), len(CALL), dice.randrange(1, len(CALL))))]
    yield from _say(model.encode_text("\n" + call))
    yield from dice.choice((_end, _rambles, _loops))(model, dice)


def _says_stop(model: UnrulyModel, dice: random.Random) -> Iterator[Ranked]:
    yield from _words(model, dice, dice.randrange(10))
    while True:
        yield from _say(model.encode_text(STOP_TEXT))
        yield from _words(model, dice, 2)


def _stops_at_once(model: UnrulyModel, dice: random.Random) -> Iterator[Ranked]:
    while True:
        yield from _say(model.encode_text(STOP_TEXT))


def _mute(model: UnrulyModel, dice: random.Random) -> Iterator[Ranked]:
    while True:
        yield (*model.ends, ord("\n"), ord(" "))


def _blank(model: UnrulyModel, dice: random.Random) -> Iterator[Ranked]:
    while True:
        yield (ord(dice.choice("\n \t")),)


def _reopens(model: UnrulyModel, dice: random.Random) -> Iterator[Ranked]:
    yield from _say(model.encode_text(dice.choice(("", "\n", "\n\n"))))
    tag = model.tag(model.tags.open)
    for token in tag:
        yield (token, model.word(dice))
    yield from _words(model, dice, 30)
    yield from _end(model, dice)


def _spells_opening(model: UnrulyModel, dice: random.Random) -> Iterator[Ranked]:
    for token in model.encode_text("\n" + model.tags.open):
        yield (token, model.word(dice))
    yield from _rambles(model, dice)


def _honest_answer(model: UnrulyModel, dice: random.Random) -> Iterator[Ranked]:
    yield from _say(model.encode_text("\n\n"))
    yield from _words(model, dice, dice.randrange(1, 40))
    yield from _end(model, dice)


# How it thinks, and how it answers; a mood is begun anew with every thought and answer.
THOUGHTS: dict[str, Mood] = {
    "honest": _honest_thought,
    "loops": _loops,
    "rambles": _rambles,
    "closes at once": _closes_at_once,
    "ends its turn": _ends_turn,
    "breaks characters": _broken,
    "calls": _calls,
    "says a stop": _says_stop,
    "mute": _mute,
    "blank": _blank,
}
ANSWERS: dict[str, Mood] = {
    "honest": _honest_answer,
    "loops": _loops,
    "rambles": _rambles,
    "mute": _mute,
    "blank": _blank,
    "reopens": _reopens,
    "spells an opening": _spells_opening,
    "breaks characters": _broken,
    "calls": _calls,
    "stops at once": _stops_at_once,
}


@dataclass(frozen=True)
class Case:
    """One reply that is asked for."""

    thought: str
    answer: str
    governor: Governor = field(default_factory=Governor)
    seed: int = 0
    room: int = 400
    inside: bool = True
    spelled: bool = False
    tools: bool = False
    may_call: bool = True
    cancelled_at: int | None = None


class UnrulyGeneration:
    """A generation of it, as `Steered` has it."""

    prompt_tokens = 1
    speculated = None
    odds = None

    def __init__(self, model: UnrulyModel, case: Case) -> None:
        self.model, self.case = model, case
        self.room = case.room
        self.tokens = 0
        self.seconds = 0.0
        self.finish_reason: FinishReason | None = None
        self._dice = random.Random(case.seed)
        self._forced: deque[int] = deque()
        self._forbidden: frozenset[int] = frozenset()
        self._biases: dict[int, float] = {}
        self._look: Callable[[npt.NDArray[np.float32]], None] | None = None
        self._goes_on: Callable[[int], bool] | None = None
        self._tail = b""
        self._begin(thought=case.inside)

    def _begin(self, *, thought: bool) -> None:
        mood = THOUGHTS[self.case.thought] if thought else ANSWERS[self.case.answer]
        self._mood = mood(self.model, self._dice)
        self._thinks = thought

    def takes(self, tokens: Sequence[int]) -> bool:
        raise NotImplementedError("it has no grammar")

    def force(self, tokens: Sequence[int]) -> None:
        self._forced.extend(tokens)

    def forbid(self, tokens: Collection[int]) -> None:
        self._forbidden = frozenset(tokens)

    def bias(self, biases: Mapping[int, float]) -> None:
        self._biases = dict(biases)

    def tell_odds(self, best: int) -> None:
        raise NotImplementedError

    def before_pick(self, look: Callable[[npt.NDArray[np.float32]], None] | None) -> None:
        self._look = look

    def before_stop(self, goes_on: Callable[[int], bool] | None) -> None:
        self._goes_on = goes_on

    def begin_answer(self) -> None:
        pass

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        while self.finish_reason is None:
            token = self._next()
            if token is None:
                self.finish_reason = FinishReason.STOP
                return
            self._follow(token)
            self.tokens += 1
            self.seconds += _TOKEN_SECONDS
            yield token, self.model.pieces[token]
            if self.case.cancelled_at is not None and self.tokens >= self.case.cancelled_at:
                self.finish_reason = FinishReason.INTERRUPTED
            elif self.tokens >= self.room:
                self.finish_reason = FinishReason.LENGTH

    def _next(self) -> int | None:
        ranked: Ranked | None = None
        for _ in range(100):
            if self._forced:
                return self._forced.popleft()
            ranked = next(self._mood, self.model.ends) if ranked is None else ranked
            if self._look is not None:
                self._look(self._logits(ranked))
                if self._forced:
                    continue
            token = self._pick(ranked)
            if token not in self.model.ends:
                return token
            if self._goes_on is None or not self._goes_on(token):
                return None
        raise AssertionError("a generation that goes on at its end for ever")

    def _logits(self, ranked: Ranked) -> npt.NDArray[np.float32]:
        logits = np.full(len(self.model.pieces), -20, np.float32)
        for place, token in reversed(list(enumerate(ranked))):
            logits[token] = 10 - 2 * place
        return logits

    def _pick(self, ranked: Ranked) -> int:
        if not self._biases:
            for token in ranked:
                if token not in self._forbidden:
                    return token
        logits = self._logits(ranked)
        for token, bias in self._biases.items():
            logits[token] += bias
        logits[list(self._forbidden)] = -np.inf
        return int(logits.argmax())

    def _follow(self, token: int) -> None:
        """It knows by its own text whether it thinks or answers."""
        tags = self.model.tags
        self._tail = (self._tail + self.model.pieces[token])[-64:]
        if self._thinks and self._tail.endswith(tags.close.encode()):
            self._begin(thought=False)
        elif not self._thinks and self._tail.endswith(tags.open.encode()):
            self._begin(thought=True)


def reply_to(case: Case) -> Response:
    """The response to a case, by the driver that drives real generations."""
    tags = ThinkingTags()
    model = UnrulyModel(tags, spelled=case.spelled)
    closing = len(model.tag(tags.close)) + 1
    if not holds_thought(case.room, closing):  # as a Responder decides it
        case = replace(case, inside=False, governor=replace(case.governor, budget=0))
    profile = Profile("test", "", SamplerChain((Greedy(),)), governor=case.governor)
    splitter = ThoughtSplitter(
        tags.open,
        tags.close,
        starts_inside=case.inside,
        may_be_open=not case.inside,
        open_id=model.token_id(tags.open),
        close_id=model.token_id(tags.close),
    )
    tool_format = HERMES if case.tools else None
    stream = ReplyStream(splitter, stops=(STOP_TEXT,), tool_format=tool_format)
    no_calls = None if case.may_call else tool_format
    governing = Governing(cast(Model, model), profile, no_calls=no_calls)
    driver = ReplyDriver(stream, governing, seed=case.seed)
    generation = UnrulyGeneration(model, case)
    driver.begin(generation)
    for token, piece in generation:
        for _ in driver.feed(token, piece):
            pass
        if driver.done:
            break
    last = list(driver.finish(generation.finish_reason or FinishReason.STOP))[-1]
    assert isinstance(last, Responded)
    return last.response


def answered(response: Response) -> bool:
    """Whether it says anything, or calls where it may."""
    if response.finish_reason is not FinishReason.TOOL_LIMIT and (
        response.calls or response.unread
    ):
        return True
    return bool(response.answer.strip())


def drawn_case(seed: int) -> Case:
    """Any of the cases there are, with any governor that leaves the answers to it."""
    dice = random.Random(seed)

    def one(*choices: Any) -> Any:
        return dice.choice(choices)

    governor = Governor(
        budget=one(None, None, 0, 1, 5, 40, 200),
        message=one(None, "", "Enough."),
        seconds=one(None, None, 0.3, 2.0),
        reserve=one(1024, 1024, 50),
        wind_down=one(None, 0.5, 0.8),
        wind_down_bias=one(5.0, 40.0),
        hesitation_penalty=one(0.0, 0.0, 5.0),
        margin=one(None, None, 3.0, 30.0),
    )
    case = Case(
        thought=one(*THOUGHTS),
        answer=one(*ANSWERS),
        governor=governor,
        seed=seed,
        room=dice.randrange(64, 800) if dice.random() < 0.8 else dice.randrange(1, 64),
        inside=dice.random() < 0.8,
        spelled=dice.random() < 0.3,
        tools=dice.random() < 0.4,
        may_call=dice.random() < 0.7,
    )
    return replace(case, cancelled_at=dice.randrange(1, 60)) if dice.random() < 0.03 else case
