"""A reply that is followed: what Ctrl-C, keys and typed lines do to it."""

from __future__ import annotations

import io
import signal
from collections.abc import Iterator
from typing import cast

import pytest

from qwq_gguf.chat.events import (
    AnswerDelta,
    ChatEvent,
    Finished,
    FinishReason,
    Reply,
    ThinkingDelta,
    ThoughtEnded,
)
from qwq_gguf.cli.chatting.loop import _Following, answer_one
from qwq_gguf.cli.chatting.plain import PlainView
from qwq_gguf.cli.terminal.interrupt import ctrl_c_stops
from qwq_gguf.cli.terminal.typing_ahead import Typing
from qwq_gguf.engine.conversation import Conversation


class Talk:
    """A conversation whose reply is driven by the test; what is asked of it is written down."""

    used_tokens, context_size = 10, 100

    def __init__(self) -> None:
        self.done: list[str] = []

    def answer_now(self) -> None:
        self.done.append("answer")

    def interrupt(self) -> None:
        self.done.append("stop")


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def reply(reason: FinishReason = FinishReason.STOP) -> Reply:
    return Reply("hm", "301", 2, 1, 5, reason, ThoughtEnded.CLOSED, 1, 10.0)


def follow(talk: Talk, events: Iterator[ChatEvent], *, attended: bool = True) -> Reply:
    view = PlainView(io.StringIO(), io.StringIO())
    return answer_one(cast(Conversation, talk), events, view, attended=attended)


def test_ctrl_c_in_a_thought_answers_and_again_stops_and_again_leaves() -> None:
    talk = Talk()

    def events() -> Iterator[ChatEvent]:
        yield ThinkingDelta("hm")
        press()
        assert talk.done == ["answer"]
        press()
        assert talk.done == ["answer", "stop"]
        press()
        yield Finished(reply())

    with pytest.raises(KeyboardInterrupt):
        follow(talk, events())


@pytest.mark.parametrize(
    "before", [(), (ThinkingDelta("hm"), AnswerDelta("It")), (AnswerDelta("It"),)]
)
def test_outside_a_thought_ctrl_c_stops(before: tuple[ChatEvent, ...]) -> None:
    talk = Talk()

    def events() -> Iterator[ChatEvent]:
        yield from before
        press()
        yield Finished(reply(FinishReason.INTERRUPTED))

    follow(talk, events())
    assert talk.done == ["stop"]


def test_where_nobody_looks_ctrl_c_stops_a_thought_too() -> None:
    talk = Talk()

    def events() -> Iterator[ChatEvent]:
        yield ThinkingDelta("hm")
        press()
        yield Finished(reply(FinishReason.INTERRUPTED))

    follow(talk, events(), attended=False)
    assert talk.done == ["stop"]


def test_keys_end_a_thought_and_no_line_of_theirs_is_left() -> None:
    talk, typing = Talk(), Typing()
    view = PlainView(io.StringIO(), io.StringIO())
    following = _Following(cast(Conversation, talk), typing)
    following.hear(view, b"\x14/answer\rnext\r")
    assert talk.done == [], "there is no thought"
    following.thinking = True
    following.hear(view, b"\x14")
    following.hear(view, b"/answer\r")
    assert talk.done == ["answer", "answer"]
    assert list(typing.lines) == ["next"]


def test_a_step_that_has_nothing_to_do_is_passed_over() -> None:
    done: list[str] = []
    steps = (lambda: False, lambda: done.append("stop"))
    with ctrl_c_stops(*steps):
        press()
        assert done == ["stop"]
