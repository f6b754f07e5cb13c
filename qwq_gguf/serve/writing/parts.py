"""A reply's events as parts that every protocol writes down: thought, answer, calls, its end.

What was streamed and what is told at once are the same parts, so they cannot differ.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from qwq_gguf.chat.events import (
    AnswerDelta,
    AnswerWasThought,
    FinishReason,
    Responded,
    Response,
    ResponseEvent,
    ThinkingDelta,
    TokenOdds,
)

__all__ = ["Called", "Ended", "Part", "Parts", "Said", "Thought", "Whole"]


@dataclass(frozen=True, slots=True)
class Thought:
    """More of the thought; `odds` of its tokens, where they were asked for."""

    text: str
    odds: tuple[TokenOdds, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """More of the answer; `odds` of its tokens, where they were asked for."""

    text: str
    odds: tuple[TokenOdds, ...] = ()


@dataclass(frozen=True, slots=True)
class Called:
    """A call of a tool; `arguments` are JSON."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The end. `calls`: the reply ends in calls, whose results are to come next."""

    response: Response
    calls: bool

    @property
    def cut(self) -> bool:
        """Whether a limit ended it, or somebody else, and not the model."""
        return self.response.finish_reason is not FinishReason.STOP


Part: TypeAlias = Thought | Said | Called | Ended


class _Trimmed:
    """Text as it comes, without the blanks before and after it all."""

    def __init__(self) -> None:
        self.begun = False
        self._blanks = ""

    def feed(self, text: str) -> str:
        if not self.begun:
            text = text.lstrip()
            self.begun = bool(text)
        text = self._blanks + text
        kept = text.rstrip()
        self._blanks = text[len(kept) :]
        return kept


class _Spread:
    """The odds of tokens, given out with the text that the tokens begin in.

    Text lags behind its tokens: it is held back where a stop or a call may be in it, and one
    character may be several tokens.
    """

    def __init__(self) -> None:
        self.queue: deque[TokenOdds] = deque()
        self._ahead = 0  # bytes of tokens given out, beyond the text that has come

    def under(self, text: str) -> list[TokenOdds]:
        """Those of the tokens that begin in this text."""
        if not self.queue:
            return []
        taken: list[TokenOdds] = []
        raw, at = text.encode(), self._ahead
        while self.queue and at < len(raw):
            odds = self.queue.popleft()
            piece = odds.piece
            if piece[:1].isspace() and not raw[at : at + 1].isspace():
                piece = piece.lstrip()  # blanks beside a tag are no text
            if piece:
                taken.append(odds)
                at += len(piece)
        # Text that no token stands for, as of broken characters, counts for none to come.
        self._ahead = max(at - len(raw), 0)
        return taken


class Parts:
    """Feed it the events of one response, `Responded` last."""

    def __init__(
        self, new_id: Callable[[], str], *, one_call: bool = False, as_it_is: bool = False
    ) -> None:
        """`new_id` names calls; of several calls `one_call` keeps the first. `as_it_is` keeps the
        blanks around a text.
        """
        self._as_it_is = as_it_is
        self._new_id = new_id
        self._one_call = one_call
        self._thought, self._answer = _Trimmed(), _Trimmed()
        self._unsure: list[str] = []
        self._odds = {True: _Spread(), False: _Spread()}  # by whether they are of the thought
        self._untold: dict[bool, list[TokenOdds]] = {True: [], False: []}
        self._shown: list[str] = []

    def feed(self, event: ResponseEvent) -> Iterator[Part]:
        """What may be told now. An answer that may turn out to be the thought waits."""
        match event:
            case ThinkingDelta(text):
                yield from self._think(text)
            case AnswerDelta(text, sure=False):
                self._unsure.append(text)
            case AnswerDelta(text):
                yield from self._settle()
                yield from self._say(text)
            case TokenOdds():
                self._odds[event.thought].queue.append(event)
            case AnswerWasThought():
                self._odds[True].queue += self._odds[False].queue
                self._odds[False].queue.clear()
                unsure, self._unsure = "".join(self._unsure), []
                yield from self._think(unsure)
            case Responded(response):
                yield from self._settle()
                yield from self._end(response)

    def _settle(self) -> Iterator[Part]:
        unsure, self._unsure = "".join(self._unsure), []
        yield from self._say(unsure)

    def _think(self, text: str) -> Iterator[Part]:
        odds = self._odds_of(True, text)
        if text := self._thought.feed(text):
            yield Thought(text, self._now(True, odds))
        else:
            self._later(True, odds, begun=self._thought.begun)

    def _say(self, text: str) -> Iterator[Part]:
        odds = self._odds_of(False, text)
        if self._as_it_is:
            if text:
                yield Said(text, self._now(False, odds))
        elif text := self._answer.feed(text):
            self._shown.append(text)
            yield Said(text, self._now(False, odds))
        else:
            self._later(False, odds, begun=self._answer.begun)

    def _odds_of(self, thought: bool, text: str) -> list[TokenOdds]:
        return self._odds[thought].under(text)

    def _now(self, thought: bool, odds: list[TokenOdds]) -> tuple[TokenOdds, ...]:
        told, self._untold[thought] = (*self._untold[thought], *odds), []
        return told

    def _later(self, thought: bool, odds: list[TokenOdds], *, begun: bool) -> None:
        """Blanks are told with what comes after them; those before it all are not told."""
        if begun:
            self._untold[thought] += odds

    def _end(self, response: Response) -> Iterator[Part]:
        calls = response.calls[:1] if self._one_call else response.calls
        if not calls and response.unread:
            # Calls that cannot be read are text: a client sees what the model wrote.
            written, shown = response.written.strip(), "".join(self._shown)
            if written.startswith(shown) and len(written) > len(shown):
                yield Said(written[len(shown) :])
        for call in calls:
            arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
            yield Called(self._new_id(), call.name, arguments)
        yield Ended(response, bool(calls))


@dataclass(slots=True)
class Whole:
    """All parts of a reply put together."""

    thinking: str = ""
    answer: str = ""
    thinking_odds: tuple[TokenOdds, ...] = ()
    answer_odds: tuple[TokenOdds, ...] = ()
    calls: tuple[Called, ...] = ()
    ended: Ended | None = None

    def add(self, part: Part) -> None:
        """The next part."""
        match part:
            case Thought(text, odds):
                self.thinking += text
                self.thinking_odds += odds
            case Said(text, odds):
                self.answer += text
                self.answer_odds += odds
            case Called():
                self.calls += (part,)
            case Ended():
                self.ended = part

    @property
    def end(self) -> Ended:
        """How it ended, once it has."""
        assert self.ended is not None, "it has not ended"
        return self.ended
